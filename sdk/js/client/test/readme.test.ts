import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));

test("the README's code compiles against the sources", () => {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts\n([^]*?)```/g)].map((match) => match[1] ?? "");
  expect(blocks.length).toBeGreaterThanOrEqual(3);
  const folder = mkdtempSync(join(tmpdir(), "skein-readme-"));
  try {
    mkdirSync(join(folder, "blocks"));
    for (const [i, block] of blocks.entries()) writeFileSync(join(folder, "blocks", `block${i}.ts`), `${block}\nexport {};\n`);
    const paths = {
      "@skein/client": [join(root, "src/index.ts")],
      "@skein/client/modules": [join(root, "src/module.ts")],
      "@skein/client/*": [join(root, "src/modules/*/index.ts")],
    };
    const compilerOptions = { rootDir: "/", paths };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: ["blocks"] }));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
    expect(execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" })).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("nothing that an app can pass is called a secret", () => {
  const folder = join(root, "src", "types");
  for (const name of readdirSync(folder)) {
    const code = readFileSync(join(folder, name), "utf8").replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
    expect(code, name).not.toMatch(/secret/i);
  }
});
