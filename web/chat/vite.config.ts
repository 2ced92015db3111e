// Builds the app: the page, the SDK as one file for pages without a bundler,
// and the service worker with the list of the app's files in it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { build, defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The server that `npm run dev` talks to. */
const backend = process.env["SKEIN_BACKEND"] ?? "http://127.0.0.1:8080";

/** Writes sw.js once the names of all other files are known. */
function serviceWorker(): Plugin {
  return {
    name: "skein-service-worker",
    apply: "build",
    async closeBundle() {
      const files = (readdirSync(here("./dist"), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath.slice(here("./dist").length)}/${entry.name}`)
        .filter((path) => !/\.gitkeep$|\/sw\.js$|\/index\.html$|\.map$/.test(path))
        .sort();
      const hash = createHash("sha256");
      for (const path of ["/index.html", ...files]) hash.update(path).update(readFileSync(here(`./dist${path}`)));
      await build({
        configFile: false,
        logLevel: "warn",
        define: { SHELL_FILES: JSON.stringify(files), SHELL_VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)) },
        publicDir: false,
        build: {
          outDir: here("./dist"),
          emptyOutDir: false,
          target: "es2022",
          rollupOptions: { input: here("./worker/sw.ts"), output: { entryFileNames: "sw.js", format: "es" } },
        },
      });
    },
  };
}

export default defineConfig({
  plugins: [react(), serviceWorker()],
  build: {
    target: "es2022",
    // No data: URLs, which the page's policy would refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: here("./index.html"), "skein-client": here("./src/sdk.ts") },
      preserveEntrySignatures: "exports-only",
      output: {
        entryFileNames: (chunk) => (chunk.name === "skein-client" ? "skein-client.js" : "assets/[name]-[hash].js"),
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/skein.v1", "/rtc", "/dev", "/healthz"].map((path) => [
        path,
        { target: backend, ws: true, changeOrigin: true, headers: { origin: backend } },
      ]),
    ),
  },
});
