// A user's session in a real VS Code, with the extension built, packaged and configured by the README's own lines: the breakpoint is
// clicked, F5 pressed, an interface opened, calls hovered over, the dispatch table picked from. `cargo xtask test --editors` runs it;
// by hand: ITAB_DAP=target/debug/itab-dap node vscode-extension/test/editor/vscode.mjs
//
// Exit code 77: something is missing, and the last line says what.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { Editor } from "./driver.mjs";
import { gather } from "./install.mjs";

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const ROOT = resolve(HERE, "..");
const MISSING = 77;

const offline = process.argv.includes("--offline");
const tools = gather(offline);
const adapter = resolve(process.env.ITAB_DAP ?? join(ROOT, "target/debug/itab-dap"));
const vsix = join(HERE, "itab-dap.vsix");
const absent = [adapter, ...(offline ? [vsix] : [])].filter((file) => !existsSync(file));
if (tools.missing || absent.length > 0) {
  console.log(tools.missing ?? absent.join(", "));
  process.exit(MISSING);
}
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
if (!offline) {
  packageAsInReadme();
}

const work = mkdtempSync(join(tmpdir(), "itab-vscode-"));
const examples = join(work, "examples");
cpSync(join(ROOT, "examples"), examples, { recursive: true });
mkdirSync(join(examples, ".vscode"));
writeFileSync(join(examples, ".vscode/launch.json"), configurationOfReadme());
const source = readFileSync(join(examples, "shapes/main.go"), "utf8").split("\n");
const lineOf = (text) => source.findIndex((line) => line.includes(text)) + 1;
const AREA = lineOf("// stop: area");

let editor;
let failed = false;
try {
  editor = await Editor.start(tools, { vsix, adapter, work });
  await session();
} catch (error) {
  failed = true;
  const picture = await editor?.picture("failed").catch(() => undefined);
  console.log(`${error.stack}\nWhat the editor showed: ${picture}`);
} finally {
  await editor?.stop();
  if (!failed) {
    rmSync(work, { recursive: true, force: true });
  }
}
process.exit(failed ? 1 : 0);

async function session() {
  const { page } = editor;
  await step("a breakpoint by a click, F5, the stop", async () => {
    await editor.openFolder(examples);
    await editor.openFile("shapes", "main.go");
    await editor.clickMargin(AREA);
    await page.keyboard.press("F5");
    await editor.untilStoppedAt(AREA);
    await editor.untilRow("call-stack", /main\.describe/);
  });
  await step("an interface opens to its value and its method table", async () => {
    await editor.collapsePane("Watch");
    await editor.expand("variables", /^Locals/);
    await editor.expand("variables", /^s =/);
    await editor.untilRow("variables", /^Side = 3$/);
    await editor.expand("variables", /\[itab\]/);
    await editor.untilRow("variables", /^Area = main\.\(\*Square\)\.Area 0x[0-9a-f]+ -> main\.Square\.Area$/);
    await editor.expand("variables", /^Dispatch/);
    await editor.untilRow("variables", /^s\.Area = main\.Shape\.Area -> main\.Square\.Area$/);
  });
  await step("hovering over a call says who runs, over a variable what it holds", async () => {
    const call = await editor.hover(AREA, "s.Area");
    assert.match(call, /main\.Shape\.Area -> main\.Square\.Area.*wrapper = main\.\(\*Square\)\.Area/);
    await editor.closeHover();
    assert.match(await editor.hover(AREA, "(w"), /^\*os\.File \{/);
    await editor.closeHover();
  });
  await step("the debug console", async () => {
    await editor.console("dispatch");
    await editor.untilConsole(/0 s\.Name -> main\.Square\.Name\n1 s\.Area -> main\.Square\.Area\n2 fmt\.Fprintf/);
    await editor.console("typeof(s) == *main.Square");
    await editor.untilConsole(/^true$/m);
  });
  await step("the dispatch table, and a step into a row", async () => {
    await editor.command("itab: Show Dispatch Table of the Stopped Line");
    const picks = await editor.picks(/s\.Area/);
    assert.equal(picks.length, 3, picks.join("\n"));
    assert.match(picks[1], /s\.Area.*main\.Square\.Area.*\(value receiver\).*main\.go:28/);
    await editor.pick("s.Area");
    await editor.untilStoppedAt(lineOf("func (q Square) Area"));
    await page.keyboard.press("Shift+F11");
    await editor.untilStoppedAt(AREA);
    await editor.untilRow("variables", /returned ~r0 = 9$/);
  });
  await step("Step Into Target of the context menu", async () => {
    await page.keyboard.press("F5");
    await editor.untilRow("variables", /^s = main\.Shape\(\*main\.Circle\)/);
    // At the end of the line: before a call VS Code would step into it without asking.
    await editor.contextMenu(AREA, "stop: area", "Step Into Target");
    await page.locator(".monaco-menu .action-item", { hasText: "s.Name" }).first().waitFor();
    assert.deepEqual(await editor.menu(), ["s.Name -> main.(*Circle).Name", "s.Area -> ~main.(*Circle).Area", "fmt.Fprintf"]);
    await editor.menuItem("s.Area").click();
    await editor.untilStoppedAt(lineOf("func (c *Circle) Area"));
  });
  await step("a function breakpoint on an interface's method", async () => {
    await editor.paneAction("Breakpoints", "Add Function Breakpoint");
    await page.keyboard.type("io.Writer.Write");
    await page.keyboard.press("Enter");
    await editor.untilRow("breakpoints", /^io\.Writer\.Write$/);
    await page.keyboard.press("F5");
    await editor.untilRow("call-stack", /os\.\(\*File\)\.Write/);
  });
  await step("stop", async () => {
    await page.keyboard.press("Shift+F5");
    await editor.untilConsole(/has exited|terminated|Detaching/);
    assert.equal(await editor.stoppedLine(), undefined);
  });
}

async function step(name, work) {
  const start = Date.now();
  await work();
  console.log(`ok: ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
}

/** The launch.json that the README shows, word for word. */
function configurationOfReadme() {
  const [, json] = /```json\n(\{\s+"version"[^`]+)```/.exec(readme) ?? [];
  assert.ok(json, "README.md has a launch.json");
  return json;
}

/** Builds itab-dap.vsix by the README's commands. */
function packageAsInReadme() {
  const lines = readme.split("\n").map((line) => line.trim());
  const commands = lines.filter((line) => line.startsWith("cd vscode-extension") || line.startsWith("npx @vscode/vsce"));
  assert.equal(commands.length, 2, "README.md says how the extension is packaged");
  rmSync(vsix, { force: true });
  execFileSync("sh", ["-ec", commands.join("\n")], {
    cwd: ROOT,
    env: { ...process.env, npm_config_yes: "true" },
    stdio: ["ignore", 2, 2],
  });
}
