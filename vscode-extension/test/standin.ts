// A stand-in for the `vscode` module under plain Node: it has what the extension uses, records what the extension registers and
// shows, and lets a test play the user. What it lacks is an error at the call, never a silent nothing.

import Module from "node:module";

/** What the user sees and does. */
export interface User {
  /** Messages shown, newest last. */
  readonly messages: string[];
  /** Quick picks shown, newest last. */
  readonly picks: { label: string; description?: string; detail?: string }[][];
  /** Chooses a row. */
  choose: (items: { label: string; description?: string; detail?: string }[]) => number | undefined;
}

type Command = (...args: unknown[]) => unknown;

export class DebugThread {
  constructor(
    readonly session: unknown,
    readonly threadId: number,
  ) {}
}

export class DebugStackFrame {
  constructor(
    readonly session: unknown,
    readonly threadId: number,
    readonly frameId: number,
  ) {}
}

export class DebugAdapterExecutable {
  constructor(
    readonly command: string,
    readonly args: string[],
    readonly options: { cwd?: string },
  ) {}
}

export function standIn() {
  const user: User = { messages: [], picks: [], choose: () => undefined };
  const commands = new Map<string, Command>();
  const settings = new Map<string, unknown>();
  const registered = { factories: new Map<string, unknown>(), providers: [] as unknown[] };
  const disposable = { dispose() {} };
  const message = async (text: string) => {
    user.messages.push(text);
    return undefined;
  };
  const debug = {
    activeDebugSession: undefined as unknown,
    activeStackItem: undefined as unknown,
    registerDebugAdapterDescriptorFactory(type: string, factory: unknown) {
      registered.factories.set(type, factory);
      return disposable;
    },
    registerDebugConfigurationProvider(_type: string, provider: unknown) {
      registered.providers.push(provider);
      return disposable;
    },
  };
  const vscode = {
    debug,
    DebugThread,
    DebugStackFrame,
    DebugAdapterExecutable,
    DebugConfigurationProviderTriggerKind: { Initial: 1, Dynamic: 2 },
    commands: {
      registerCommand(name: string, command: Command) {
        commands.set(name, command);
        return disposable;
      },
    },
    window: {
      activeTextEditor: undefined as unknown,
      showInformationMessage: message,
      showErrorMessage: message,
      async showQuickPick(items: { label: string }[]) {
        user.picks.push(items);
        const index = user.choose(items);
        return index === undefined ? undefined : items[index];
      },
    },
    workspace: {
      getConfiguration: (section: string) => ({
        get: (name: string, otherwise: unknown) => settings.get(`${section}.${name}`) ?? otherwise,
      }),
    },
  };
  return { vscode, user, commands, settings, registered };
}

/** Loads a bundle with the stand-in in place of `vscode`. */
export function loadBundle<T>(path: string, vscode: unknown): T {
  const loader = Module as unknown as { _load: (request: string, ...rest: unknown[]) => unknown };
  const original = loader._load;
  loader._load = (request, ...rest) => (request === "vscode" ? vscode : original.call(loader, request, ...rest));
  try {
    return Module.createRequire(__filename)(path) as T;
  } finally {
    loader._load = original;
  }
}
