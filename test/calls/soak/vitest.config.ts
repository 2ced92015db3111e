import { defineConfig } from "vitest/config";

// The table of networks: minutes, on a machine that does nothing else.
export default defineConfig({
  test: { root: import.meta.dirname, include: ["*.soak.ts"], pool: "forks", maxWorkers: 1, testTimeout: 180_000, hookTimeout: 60_000 },
});
