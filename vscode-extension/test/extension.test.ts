// The bundle, driven as an editor would drive it: its factory starts the real adapter, its commands show and step.

import assert from "node:assert/strict";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

import type { DebugProtocol } from "@vscode/debugprotocol";
import type { CallSite } from "../src/protocol";
import { isGo } from "../src/elf";
import { rows } from "../src/table";
import { Client } from "./client";
import { type DebugAdapterExecutable, DebugStackFrame, DebugThread, loadBundle, standIn } from "./standin";

const HERE = resolve(__dirname, "../..");
const EXAMPLE = resolve(HERE, "../examples/shapes");
const SOURCE = join(EXAMPLE, "main.go");
const ADAPTER = process.env["ITAB_DAP"] ?? "";

interface Extension {
  activate(context: { subscriptions: unknown[] }): void;
}

/** The bundle, activated against a fresh stand-in. */
function activate() {
  const host = standIn();
  const context = { subscriptions: [] as unknown[] };
  const path = join(HERE, "dist/extension.js");
  loadBundle<Extension>(path, host.vscode).activate(context);
  return { ...host, context };
}

/** Every bundle load shares Node's module cache; a fresh stand-in needs a fresh bundle. */
function fresh() {
  for (const key of Object.keys(require.cache)) {
    if (key.endsWith("dist/extension.js")) {
      delete require.cache[key];
    }
  }
  return activate();
}

function startAdapter(host: ReturnType<typeof fresh>): Client {
  host.settings.set("itab-dap.adapterPath", ADAPTER);
  const factory = host.registered.factories.get("itab") as {
    createDebugAdapterDescriptor(session: object): DebugAdapterExecutable;
  };
  const descriptor = factory.createDebugAdapterDescriptor({ workspaceFolder: { uri: { fsPath: EXAMPLE } } });
  assert.equal(descriptor.command, ADAPTER);
  assert.equal(descriptor.options.cwd, EXAMPLE);
  return new Client(descriptor.command, descriptor.args, EXAMPLE);
}

function markedLine(name: string): number {
  const lines = readFileSync(SOURCE, "utf8").split("\n");
  const index = lines.findIndex((line) => line.endsWith(`// stop: ${name}`));
  assert.ok(index >= 0, name);
  return index + 1;
}

/** What VS Code sends for a launch, up to the first stop. */
async function launchToStop(client: Client, line: number): Promise<number> {
  const capabilities = await client.request<DebugProtocol.Capabilities>("initialize", {
    clientID: "vscode",
    adapterID: "itab",
    pathFormat: "path",
    linesStartAt1: true,
    columnsStartAt1: true,
    supportsVariableType: true,
    supportsVariablePaging: true,
    supportsRunInTerminalRequest: true,
  });
  assert.equal(capabilities.supportsStepInTargetsRequest, true);
  const launch = client.request("launch", { type: "itab", request: "launch", mode: "debug", program: EXAMPLE });
  await client.event("initialized");
  const set = await client.request<DebugProtocol.SetBreakpointsResponse["body"]>("setBreakpoints", {
    source: { path: SOURCE },
    breakpoints: [{ line }],
  });
  assert.equal(set.breakpoints[0]?.verified, true, JSON.stringify(set));
  await client.request("configurationDone");
  await launch;
  const stopped = (await client.event("stopped")) as DebugProtocol.StoppedEvent;
  assert.equal(stopped.body.reason, "breakpoint");
  assert.ok(stopped.body.threadId !== undefined);
  return stopped.body.threadId;
}

async function topFrame(client: Client, threadId: number): Promise<DebugProtocol.StackFrame> {
  const arguments_ = { threadId, startFrame: 0, levels: 1 };
  const stack = await client.request<DebugProtocol.StackTraceResponse["body"]>("stackTrace", arguments_);
  assert.ok(stack.stackFrames[0]);
  return stack.stackFrames[0];
}

test("everything that package.json contributes is registered", () => {
  const host = fresh();
  const manifest = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8")) as {
    contributes: {
      commands: { command: string }[];
      debuggers: { type: string; configurationAttributes: Record<string, { properties: object }> }[];
    };
  };
  for (const { command } of manifest.contributes.commands) {
    assert.ok(host.commands.has(command), command);
  }
  const [debuggerType] = manifest.contributes.debuggers;
  assert.ok(debuggerType && host.registered.factories.has(debuggerType.type));
  for (const request of ["launch", "attach"]) {
    assert.ok("stopOnEntry" in (debuggerType.configurationAttributes[request]?.properties ?? {}), request);
  }
  assert.equal(host.context.subscriptions.length, 6);
});

test("a missing adapter is said with what to do", () => {
  const host = fresh();
  const factory = host.registered.factories.get("itab") as { createDebugAdapterDescriptor(session: object): unknown };
  host.settings.set("itab-dap.adapterPath", "/nowhere/itab-dap");
  assert.throws(() => factory.createDebugAdapterDescriptor({}), /adapterPath.*\/nowhere/);
  host.settings.clear();
  const { PATH, CARGO_HOME } = process.env;
  Object.assign(process.env, { PATH: "/nowhere", CARGO_HOME: "/nowhere" });
  try {
    assert.throws(() => factory.createDebugAdapterDescriptor({}), /cargo install/);
  } finally {
    process.env["PATH"] = PATH;
    if (CARGO_HOME === undefined) {
      delete process.env["CARGO_HOME"];
    } else {
      process.env["CARGO_HOME"] = CARGO_HOME;
    }
  }
});

test("without a session the commands say so", async () => {
  const host = fresh();
  await host.commands.get("itab-dap.showDispatch")?.();
  host.vscode.debug.activeDebugSession = { type: "go" };
  await host.commands.get("itab-dap.dispatchStep")?.();
  assert.deepEqual(host.user.messages, Array(2).fill("No itab debug session is active."));
});

test("F5 without a launch.json debugs the open file's package, in its folder", () => {
  const host = fresh();
  const provider = host.registered.providers[0] as {
    resolveDebugConfiguration(folder: undefined, config: object): { program: string } | undefined;
    resolveDebugConfigurationWithSubstitutedVariables(folder: undefined, config: object): { cwd?: string };
  };
  assert.equal(provider.resolveDebugConfiguration(undefined, {}), undefined);
  host.vscode.window.activeTextEditor = { document: { languageId: "go", fileName: SOURCE } };
  const config = provider.resolveDebugConfiguration(undefined, {});
  assert.equal(config?.program, SOURCE);
  const cwd = (c: object) => provider.resolveDebugConfigurationWithSubstitutedVariables(undefined, c).cwd;
  const launch = { type: "itab", request: "launch", name: "n", program: SOURCE };
  assert.equal(cwd({ ...launch, mode: "debug" }), EXAMPLE);
  assert.equal(cwd({ ...launch, mode: "debug", program: EXAMPLE }), EXAMPLE);
  assert.equal(cwd({ ...launch, mode: "debug", cwd: "/w" }), "/w");
  assert.equal(cwd({ ...launch, mode: "test" }), undefined);
  assert.equal(cwd({ ...launch, mode: "exec" }), undefined);
});

test("a binary of Go's is told from others", () => {
  const go = (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, "go")).find((file) => existsSync(file));
  assert.ok(go, "go is in PATH");
  assert.equal(isGo(realpathSync(go)), true);
  assert.equal(isGo(process.execPath), false);
  assert.equal(isGo(SOURCE), false);
});

test("rows tell certain, stale, pending and panicking calls apart", () => {
  const site = (more: Partial<CallSite>): CallSite => ({ id: 1, kind: "interface", order: 0, state: "known", ...more });
  const link = { role: "body", name: "main.f", address: "0x1" } as const;
  const word = (more: Partial<CallSite>) => rows([site(more)])[0]?.description;
  assert.equal(word({ target: link, certainty: "certain" }), "→ main.f");
  assert.equal(word({ target: link, certainty: "stale", conditional: true }), "→ ~main.f ?");
  assert.equal(word({ state: "pending", interfaceType: "main.S", method: "M" }), "→ ? (main.S.M)");
  assert.equal(word({ state: "panics", reason: "nil interface" }), "→ panic: nil interface");
  assert.equal(word({ state: "unknown", reason: "assembly" }), "→ unknown: assembly");
  const two = rows([site({ order: 1, expression: "b" }), site({ order: 0, expression: "a" })]);
  assert.deepEqual(two.map((row) => row.label), ["0  a", "1  b"]);
});

const missing = ADAPTER === "" ? "ITAB_DAP does not name the adapter" : false;
if (missing && process.env["CI"]) {
  throw new Error(`${missing}, and CI is set`);
}

test("the dispatch table is shown, and the picked row is stepped into", { skip: missing }, async () => {
  const host = fresh();
  const client = startAdapter(host);
  try {
    const threadId = await launchToStop(client, markedLine("area"));
    const session = { type: "itab", customRequest: (c: string, a: object) => client.request(c, a) };
    const frame = await topFrame(client, threadId);
    host.vscode.debug.activeDebugSession = session;
    host.vscode.debug.activeStackItem = new DebugStackFrame(session, threadId, frame.id);
    host.user.choose = (items) => items.findIndex((item) => item.label.includes("s.Area"));

    await host.commands.get("itab-dap.showDispatch")?.();
    assert.deepEqual(host.user.messages, []);
    const [table] = host.user.picks;
    const area = table?.find((row) => row.label.includes("s.Area"));
    assert.equal(area?.description, "→ main.Square.Area", JSON.stringify(table));
    // Each link once, and where the body is.
    const chain = /as main\.Shape → main\.\(\*Square\)\.Area \(value receiver\) → main\.Square\.Area · main\.go:\d+$/;
    assert.match(area?.detail ?? "", chain);
    const stopped = (await client.event("stopped")) as DebugProtocol.StoppedEvent;
    assert.equal(stopped.body.reason, "step");
    assert.equal((await topFrame(client, threadId)).name, "main.Square.Area");

    // What was shown belongs to the stop before: the adapter refuses its ids, and the user is told.
    host.vscode.debug.activeStackItem = new DebugStackFrame(session, threadId, frame.id);
    await host.commands.get("itab-dap.showDispatch")?.();
    assert.equal(host.user.messages.length, 1, "an old frame must be refused");
    await client.request("disconnect", { terminateDebuggee: true });
    assert.equal(await client.exited, 0);
  } finally {
    client.kill();
  }
});

test("a step without asking goes into the line's next dynamic call", { skip: missing }, async () => {
  const host = fresh();
  const client = startAdapter(host);
  try {
    const threadId = await launchToStop(client, markedLine("sum"));
    const session = { type: "itab", customRequest: (c: string, a: object) => client.request(c, a) };
    host.vscode.debug.activeStackItem = new DebugThread(session, threadId);
    await host.commands.get("itab-dap.dispatchStep")?.();
    assert.deepEqual(host.user.messages, []);
    await client.event("stopped");
    assert.equal((await topFrame(client, threadId)).name, "main.Square.Area");
    await client.request("disconnect", { terminateDebuggee: true });
    assert.equal(await client.exited, 0);
  } finally {
    client.kill();
  }
});
