// A real VS Code in a headless browser, steered as a user would: keys, clicks, menus. Waits on what is shown, never on time alone.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const PATIENCE = 60_000;
const ROW = ".monaco-list-row";
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "editor.minimap.enabled": false,
};

export class Editor {
  /** Starts the editor with the extension in `vsix` and the adapter at `adapter`, in folders of its own under `work`. */
  static async start(tools, { vsix, adapter, work }) {
    const editor = new Editor();
    editor.work = work;
    const data = join(work, "data");
    const machine = join(data, "Machine");
    mkdirSync(machine, { recursive: true });
    mkdirSync(join(data, "User"), { recursive: true });
    writeFileSync(join(data, "User", "settings.json"), JSON.stringify(SETTINGS));
    // Settings of this machine are read from here only.
    writeFileSync(join(machine, "settings.json"), JSON.stringify({ "itab-dap.adapterPath": adapter }));
    const port = await freePort();
    const options = ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry", "--disable-update-check"];
    options.push("--disable-workspace-trust", "--user-data-dir", data, "--extensions-dir", join(work, "extensions"));
    // The build cache is kept: a user's first build of the standard library is not what is tested. The editor takes PATH from a
    // login shell, so that Go is named.
    const go = (name) => execFileSync("go", ["env", name], { encoding: "utf8" }).trim();
    const env = { ...process.env, HOME: work, EXTENSIONS_GALLERY: "{}", GOTOOLCHAIN: "local" };
    env.GOCACHE = go("GOCACHE");
    env.GO = join(go("GOROOT"), "bin", "go");
    for (const name of ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"]) {
      env[name] = join(work, name);
    }
    const run = (...more) => {
      const child = spawn(tools.node, [tools.server, ...options, ...more], { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
      editor.log = [];
      const keep = (chunk) => editor.log.push(String(chunk));
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      return child;
    };
    const [status] = await once(run("--install-extension", vsix), "exit");
    if (status !== 0) {
      throw new Error(`the extension can't be installed: ${editor.log.join("")}`);
    }
    editor.server = run("--ignore-last-opened");
    await until("the server", () => editor.log.join("").includes("Session server listening"));
    editor.url = `http://127.0.0.1:${port}/`;
    const args = ["--no-sandbox", "--disable-gpu"];
    editor.browser = await tools.playwright.chromium.launch({ executablePath: tools.browser, headless: true, args });
    editor.page = await editor.browser.newPage({ viewport: { width: 1400, height: 1000 } });
    editor.page.setDefaultTimeout(PATIENCE);
    return editor;
  }

  async stop() {
    await this.browser?.close();
    if (this.server) {
      const gone = once(this.server, "exit");
      process.kill(-this.server.pid, "SIGTERM");
      await gone;
    }
  }

  async picture(name) {
    const path = join(this.work, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }

  async openFolder(folder) {
    await this.page.goto(`${this.url}?folder=${folder}`);
    await this.page.locator(`.explorer-folders-view ${ROW}`).first().waitFor();
  }

  /** Opens `folder/file` in the explorer. */
  async openFile(folder, file) {
    const row = (level, name) =>
      this.page.locator(`.explorer-folders-view ${ROW}[aria-level="${level}"][aria-label^="${name}"]`).first();
    await row(1, folder).click();
    await row(2, file).waitFor();
    await row(2, file).dblclick();
    await this.page.locator(".tab.active", { hasText: file }).first().waitFor();
    await this.page.locator(".view-lines .view-line").first().waitFor();
  }

  async goToLine(line) {
    await this.page.keyboard.press("Control+g");
    await this.page.locator(".quick-input-widget input").first().waitFor();
    await this.page.keyboard.type(`${line}`);
    await this.page.keyboard.press("Enter");
    await this.lineNumber(line).waitFor();
  }

  lineNumber(line) {
    return this.page.locator(".editor-instance .line-numbers", { hasText: new RegExp(`^${line}$`) }).first();
  }

  /** Clicks into the margin left of the line's number. */
  async clickMargin(line) {
    await this.goToLine(line);
    await until(`a breakpoint in line ${line}`, async () => {
      const box = await this.lineNumber(line).boundingBox();
      if (await this.page.locator(".codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified").count()) {
        return true;
      }
      await this.page.mouse.click(box.x - 12, box.y + box.height / 2);
      await pause(500);
      return false;
    });
  }

  /** The line that is marked as the place of the stop. */
  async stoppedLine() {
    return this.page.evaluate(() => {
      const mark = document.querySelector(".debug-top-stack-frame-line")?.getBoundingClientRect();
      const numbers = [...document.querySelectorAll(".line-numbers")];
      const number = mark && numbers.find((n) => Math.abs(n.getBoundingClientRect().y - mark.y) < 3);
      return number ? Number(number.textContent) : undefined;
    });
  }

  async untilStoppedAt(line) {
    await until(`a stop at line ${line}`, async () => (await this.stoppedLine()) === line);
  }

  /** Rows of a view of the debugger: variables, watch, call-stack, breakpoints. */
  async rows(view) {
    const texts = await this.page.locator(`.debug-${view} ${ROW}`).allInnerTexts();
    return texts.map((text) => text.replaceAll(/\s+/g, " ").trim());
  }

  async untilRow(view, pattern) {
    await until(`${pattern} in ${view}`, async () => (await this.rows(view)).some((row) => pattern.test(row)), async () =>
      (await this.rows(view)).join("\n"),
    );
  }

  /** Opens a row unless it is open. */
  async expand(view, pattern) {
    const row = this.page.locator(`.debug-${view} ${ROW}`, { hasText: pattern }).first();
    await row.waitFor();
    if ((await row.getAttribute("aria-expanded")) !== "true") {
      await row.locator(".monaco-tl-twistie").click();
    }
  }

  async collapsePane(title) {
    const header = this.page.locator(`.pane-header[aria-label^="${title}"]`);
    if ((await header.getAttribute("aria-expanded")) === "true") {
      await header.click();
    }
  }

  async paneAction(title, action) {
    const header = this.page.locator(`.pane-header[aria-label^="${title}"]`);
    await header.hover();
    await header.locator(`[aria-label="${action}"]`).click();
  }

  /** Where a word of a line is on the screen. */
  async word(line, text) {
    return this.page.evaluate(
      ([line, text]) => {
        const number = [...document.querySelectorAll(".line-numbers")].find((n) => n.textContent === String(line));
        const y = number.getBoundingClientRect().y;
        const shown = [...document.querySelectorAll(".view-lines .view-line")];
        const walker = document.createTreeWalker(
          shown.find((l) => Math.abs(l.getBoundingClientRect().y - y) < 3),
          NodeFilter.SHOW_TEXT,
        );
        const nodes = [];
        let all = "";
        while (walker.nextNode()) {
          nodes.push([walker.currentNode, all.length]);
          all += walker.currentNode.textContent.replaceAll("\u00a0", " ");
        }
        const at = all.indexOf(text) + Math.floor(text.length / 2);
        const [node, from] = nodes.findLast(([, start]) => start <= at);
        const range = document.createRange();
        range.setStart(node, at - from);
        range.setEnd(node, at - from + 1);
        const box = range.getBoundingClientRect();
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      },
      [line, text],
    );
  }

  async hover(line, text) {
    const widget = this.page.locator(".debug-hover-widget");
    await until(`a hover over ${text}`, async () => {
      const { x, y } = await this.word(line, text);
      await this.page.mouse.move(x - 60, y + 200);
      await this.page.mouse.move(x - 2, y);
      await this.page.mouse.move(x, y);
      await pause(1500);
      return widget.isVisible();
    });
    return (await widget.innerText()).replaceAll(/\s+/g, " ");
  }

  async closeHover() {
    await this.page.keyboard.press("Escape");
    await this.page.mouse.move(700, 980);
  }

  async command(title) {
    await this.page.keyboard.press("F1");
    await this.page.locator(".quick-input-widget input").first().fill(`>${title}`);
    await this.page.locator(`.quick-input-list ${ROW}[aria-label^="${title}"]`).first().click();
  }

  /** Rows of the list that asks the user something, once one is what is waited for: the list of commands may still be there. */
  async picks(pattern) {
    let rows = [];
    await until(`${pattern} in a list`, async () => {
      const texts = await this.page.locator(`.quick-input-list ${ROW}`).allInnerTexts();
      rows = texts.map((text) => text.replaceAll(/\s+/g, " "));
      return rows.some((row) => pattern.test(row));
    });
    return rows;
  }

  async pick(pattern) {
    await this.page.locator(`.quick-input-list ${ROW}`, { hasText: pattern }).first().click();
  }

  /** The editor's context menu at a word; the entry is clicked. */
  async contextMenu(line, text, entry) {
    const { x, y } = await this.word(line, text);
    await this.page.mouse.click(x, y, { button: "right" });
    await this.menuItem(entry).click();
  }

  menuItem(text) {
    return this.page.locator(".monaco-menu .action-item", { hasText: text }).first();
  }

  async menu() {
    await this.page.locator(".monaco-menu .action-item").first().waitFor();
    return this.page.locator(".monaco-menu .action-item").allInnerTexts();
  }

  /** Types into the debug console. */
  async console(text) {
    await this.page.locator(".repl-input-wrapper").first().click();
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Escape"); // completion
    await this.page.keyboard.press("Enter");
  }

  async untilConsole(pattern) {
    const shown = async () => (await this.page.locator(`.repl ${ROW}`).allInnerTexts()).join("\n");
    await until(`${pattern} in the console`, async () => pattern.test(await shown()), shown);
  }
}

export async function until(what, condition, seen = () => "") {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`waited in vain for ${what}. ${await seen()}`);
    }
    await pause(100);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}
