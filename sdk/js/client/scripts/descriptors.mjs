// The descriptors in src/gen, for what writes field tables from them.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = new URL("../", import.meta.url);
const genFolder = fileURLToPath(new URL("src/gen/skein/v1/", root));

/** Bundles the generated files and imports them, since Node 20 reads no TypeScript. */
export async function loadDescriptors() {
  const names = readdirSync(genFolder).filter((name) => name.endsWith("_pb.ts")).sort();
  const source = names.map((n) => `export * from "./src/gen/skein/v1/${n}";`).join("\n");
  const bundle = await rolldown({
    cwd: fileURLToPath(root),
    input: "virtual:gen",
    logLevel: "silent",
    plugins: [
      {
        name: "virtual",
        resolveId: (id) => (id === "virtual:gen" ? fileURLToPath(new URL("gen.virtual.ts", root)) : null),
        load: (id) => (id.endsWith("gen.virtual.ts") ? { code: source, moduleType: "ts" } : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`);
}
