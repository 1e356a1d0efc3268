// Debug configurations: what F5 does without a launch.json, and where a program runs when the user does not say.

import { statSync } from "node:fs";
import { dirname } from "node:path";
import * as vscode from "vscode";

import { TYPE } from "./session";

const PACKAGE = { type: TYPE, request: "launch", name: "Debug package", mode: "auto", program: "${fileDirname}" };

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [PACKAGE];
  }

  /** F5 without a launch.json arrives as an empty configuration. */
  resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    if (config.type || config.request || config.name) {
      return config;
    }
    const document = vscode.window.activeTextEditor?.document;
    return document?.languageId === "go" ? { ...PACKAGE, program: document.fileName } : undefined;
  }

  /** A built program runs in its package's folder, as with Go's own extension; the adapter alone would take its own directory. */
  resolveDebugConfigurationWithSubstitutedVariables(
    _folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const program: unknown = config["program"];
    const builds = ["debug", "auto", undefined].includes(config["mode"] as string | undefined);
    if (config.request !== "launch" || config["cwd"] !== undefined || typeof program !== "string" || !builds) {
      return config;
    }
    if (program.endsWith("_test.go") && config["mode"] === "auto") {
      return config;
    }
    const folder = folderOf(program);
    return folder === undefined ? config : { ...config, cwd: folder };
  }
}

function folderOf(program: string): string | undefined {
  try {
    return statSync(program).isDirectory() ? program : dirname(program);
  } catch {
    return undefined;
  }
}
