// The process picker behind "${command:pickProcess}": processes of this machine that are Go programs as far as one can see.

import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import * as vscode from "vscode";

interface ProcessItem extends vscode.QuickPickItem {
  readonly pid: string;
}

export async function pickProcess(): Promise<string | undefined> {
  const picked = await vscode.window.showQuickPick<ProcessItem>(processes(), {
    title: "Attach to a Go program",
    placeHolder: "Name, command line or process id",
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.pid;
}

/** Processes whose binary we may read, the newest first. */
function processes(): ProcessItem[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids
    .sort((a, b) => Number(b) - Number(a))
    .flatMap((pid) => {
      try {
        const binary = readlinkSync(`/proc/${pid}/exe`);
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return [{ pid, label: binary.split("/").at(-1) ?? binary, description: pid, detail: line }];
      } catch {
        return []; // gone meanwhile, or not ours
      }
    });
}
