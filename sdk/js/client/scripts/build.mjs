// Builds dist/: the modules with their types, and two bundles that show what a page loads. Whoever uses a bundler
// takes the modules; the bundles are for pages without one and for the size budget.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });

for (const [name, entry] of [
  ["core", "dist/core.js"],
  ["browser", "dist/index.js"],
]) {
  const file = join(root, `dist/bundle/${name}.min.js`);
  const bundle = await rolldown({ cwd: root, input: entry, platform: "browser", logLevel: "warn" });
  await bundle.write({ file, format: "esm", minify: true, comments: false, codeSplitting: false });
  await bundle.close();
  const bytes = await readFile(file);
  console.log(`${name}.min.js ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
}
