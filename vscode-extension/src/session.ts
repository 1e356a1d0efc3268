// What the extension does in a debug session: show the dispatch table of the stopped line, step into a row.

import * as vscode from "vscode";

import type { DispatchTable } from "./protocol";
import { rows, type Row } from "./table";

/** The debug type of package.json. */
export const TYPE = "itab";

/** Where the user looks: a goroutine and one of its frames. */
interface Place {
  readonly session: vscode.DebugSession;
  readonly threadId: number;
  readonly frameId: number;
}

/** Shows the calls of the line as a quick pick, and steps into the one that is picked. */
export async function showDispatch(): Promise<void> {
  await reporting(async () => {
    const place = await currentPlace();
    if (!place) {
      return;
    }
    const table = await request<DispatchTable>(place.session, "itab/dispatch", { frameId: place.frameId });
    const items = rows(table.sites);
    if (items.length === 0) {
      await vscode.window.showInformationMessage("This line calls nothing that a step could enter.");
      return;
    }
    const picked = await vscode.window.showQuickPick<Row>(items, {
      title: "Dispatch table of the line",
      placeHolder: table.incomplete ?? "Pick a call to step into its target",
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (picked) {
      await step(place, picked.site.id);
    }
  });
}

/** Steps into the next dynamic call of the line without asking. */
export async function dispatchStep(): Promise<void> {
  await reporting(async () => {
    const place = await currentPlace();
    if (place) {
      await step(place, undefined);
    }
  });
}

async function step(place: Place, siteId: number | undefined): Promise<void> {
  const site = siteId === undefined ? {} : { siteId };
  await request<unknown>(place.session, "itab/dispatchStep", { threadId: place.threadId, ...site });
}

/** The focused frame; when only a goroutine is focused its top one. Says so when there is none. */
async function currentPlace(): Promise<Place | undefined> {
  const item = vscode.debug.activeStackItem;
  const session = item?.session ?? vscode.debug.activeDebugSession;
  if (session?.type !== TYPE) {
    await vscode.window.showInformationMessage("No itab debug session is active.");
    return undefined;
  }
  if (item instanceof vscode.DebugStackFrame) {
    return { session, threadId: item.threadId, frameId: item.frameId };
  }
  if (item instanceof vscode.DebugThread) {
    const arguments_ = { threadId: item.threadId, startFrame: 0, levels: 1 };
    const stack = await request<{ stackFrames: { id: number }[] }>(session, "stackTrace", arguments_);
    const frame = stack.stackFrames[0];
    if (frame) {
      return { session, threadId: item.threadId, frameId: frame.id };
    }
  }
  await vscode.window.showInformationMessage("The program is not stopped at a line.");
  return undefined;
}

async function request<T>(session: vscode.DebugSession, command: string, arguments_: object): Promise<T> {
  return (await session.customRequest(command, arguments_)) as T;
}

/** Runs a command; what the adapter refuses is shown in its own words. */
async function reporting(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}
