import { defineConfig } from "vitest/config";

// Not a test: `npm run screenshots -w @skein/e2e` draws the pictures of the docs anew.
export default defineConfig({
  test: { include: ["draw.ts"], pool: "forks", testTimeout: 120_000, hookTimeout: 60_000 },
});
