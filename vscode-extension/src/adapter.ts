// Finding and starting the adapter. It is never downloaded: it is in PATH, or the setting says where it is.

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import * as vscode from "vscode";

const NAME = "itab-dap";

export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  createDebugAdapterDescriptor(session: vscode.DebugSession): vscode.DebugAdapterDescriptor {
    const settings = vscode.workspace.getConfiguration("itab-dap", session.workspaceFolder?.uri);
    const command = findAdapter(settings.get<string>("adapterPath", ""));
    const folder = session.workspaceFolder?.uri.fsPath;
    const options = folder === undefined ? {} : { cwd: folder };
    return new vscode.DebugAdapterExecutable(command, settings.get<string[]>("adapterArguments", []), options);
  }
}

/** The program to start; throws an error that tells a user what to do. */
export function findAdapter(setting: string): string {
  if (setting !== "") {
    const path = setting.replace(/^~(?=\/)/, homedir());
    if (isExecutable(path)) {
      return path;
    }
    throw new Error(`The setting "itab-dap.adapterPath" names ${path}, which is not a program.`);
  }
  const cargo = join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "bin");
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), cargo];
  const found = folders.filter(isAbsolute).map((folder) => join(folder, NAME)).find(isExecutable);
  if (found === undefined) {
    throw new Error(
      `${NAME} is not in PATH. Install it with "cargo install --path adapter/itab-dap", or set "itab-dap.adapterPath".`,
    );
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
