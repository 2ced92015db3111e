import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Each file has its own server and browser; two cores carry two of them.
    pool: "forks",
    maxWorkers: 2,
    // A machine that does other things as well takes several times as long as one at rest.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
