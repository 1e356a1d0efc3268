// Bundles the extension into one file, and its tests beside it. `vscode` comes from the editor (in tests: from a stand-in).
import { build } from "esbuild";
import { rmSync } from "node:fs";

const common = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  logLevel: "warning",
};

rmSync("dist", { recursive: true, force: true });
await build({ ...common, entryPoints: ["src/extension.ts"], outfile: "dist/extension.js", sourcemap: true });
await build({
  ...common,
  entryPoints: ["test/extension.test.ts"],
  outdir: "dist/test",
  outExtension: { ".js": ".cjs" },
});
