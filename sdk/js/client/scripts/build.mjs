// Builds dist/: the files with their types, and bundles that show what a page loads. Whoever uses a bundler takes the
// files; the bundles are for pages without one and for the size budget. Those of modules lack what the core has.
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });

const modules = readdirSync(join(root, "dist/modules"));
for (const [name, entry, own] of [
  ["core", "dist/core.js"],
  ["browser", "dist/index.js"],
  ["modules/host", "dist/modules.js", "dist/modules.js"],
  ...modules.map((name) => [`modules/${name}`, `dist/modules/${name}/index.js`, `dist/modules/${name}/`]),
]) {
  const file = join(root, `dist/bundle/${name}.min.js`);
  const external = (id, from) => own !== undefined && from !== undefined && !resolve(dirname(from), id).startsWith(join(root, own));
  const bundle = await rolldown({ cwd: root, input: entry, platform: "browser", logLevel: "warn", external });
  await bundle.write({ file, format: "esm", minify: true, comments: false, codeSplitting: false });
  await bundle.close();
  const bytes = await readFile(file);
  console.log(`${name}.min.js ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
}
