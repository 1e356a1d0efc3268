// The process picker behind "${command:pickProcess}": the Go programs of this machine, as far as one can see.

import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import * as vscode from "vscode";

import { isGo } from "./elf";

interface ProcessItem extends vscode.QuickPickItem {
  readonly pid: string;
}

export async function pickProcess(): Promise<string | undefined> {
  const items = processes();
  if (items.length === 0) {
    await vscode.window.showInformationMessage("No Go program is running that you may debug.");
    return undefined;
  }
  const picked = await vscode.window.showQuickPick<ProcessItem>(items, {
    title: "Attach to a Go program",
    placeHolder: "Name, command line or process id",
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.pid;
}

/** Go programs whose binary we may read, the newest first. */
function processes(): ProcessItem[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids
    .flatMap((pid) => {
      try {
        const binary = readlinkSync(`/proc/${pid}/exe`);
        if (!isGo(`/proc/${pid}/exe`)) {
          return [];
        }
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        const label = binary.split("/").at(-1) ?? binary;
        return [{ started: startOf(pid), item: { pid, label, description: pid, detail: line } }];
      } catch {
        return []; // gone meanwhile, or not ours
      }
    })
    .sort((a, b) => b.started - a.started)
    .map(({ item }) => item);
}

/** Ticks since boot: field 22 of the line, counted after the name, which may hold anything. */
function startOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}
