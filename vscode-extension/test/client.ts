// The editor's side of the Debug Adapter Protocol, for tests: starts the real adapter and speaks to it over its standard
// streams. It checks what an editor relies on: one answer for each request, growing numbers, a deadline for everything.

import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { DebugProtocol } from "@vscode/debugprotocol";

const PATIENCE = 60_000;

interface Waiting {
  readonly command: string;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Client {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private buffer = Buffer.alloc(0);
  private seq = 0;
  private lastSeq = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly events: DebugProtocol.Event[] = [];
  private readonly listeners = new Set<() => void>();
  readonly output: string[] = [];
  readonly exited: Promise<number | null>;

  constructor(command: string, args: readonly string[], cwd: string) {
    this.child = spawn(command, args, { cwd, stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdout.on("data", (chunk: Buffer) => this.receive(chunk));
    this.exited = new Promise((resolve) => this.child.on("exit", resolve));
    void this.exited.then(() => this.failAll("the adapter ended"));
  }

  request<T>(command: string, arguments_: object = {}): Promise<T> {
    this.seq += 1;
    const seq = this.seq;
    const body = JSON.stringify({ seq, type: "request", command, arguments: arguments_ });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return deadline(
      `the answer to ${command}`,
      new Promise<T>((resolve, reject) =>
        this.waiting.set(seq, { command, resolve: (b) => resolve(b as T), reject }),
      ),
    );
  }

  /** The next event of this name, also one that came already. */
  event(name: string): Promise<DebugProtocol.Event> {
    return deadline(
      `the event ${name}; output so far: ${this.output.join("")}`,
      new Promise((resolve) => {
        const look = () => {
          const index = this.events.findIndex((event) => event.event === name);
          const [found] = index < 0 ? [] : this.events.splice(index, 1);
          if (found) {
            this.listeners.delete(look);
            resolve(found);
          }
        };
        this.listeners.add(look);
        look();
      }),
    );
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  private receive(chunk: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    for (;;) {
      const end = this.buffer.indexOf("\r\n\r\n");
      const header = /Content-Length: (\d+)/.exec(this.buffer.toString("latin1", 0, Math.max(end, 0)));
      const length = Number(header?.[1]);
      if (end < 0 || this.buffer.length < end + 4 + length) {
        return;
      }
      const text = this.buffer.toString("utf8", end + 4, end + 4 + length);
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.message(JSON.parse(text) as DebugProtocol.ProtocolMessage);
    }
  }

  private message(message: DebugProtocol.ProtocolMessage): void {
    assert.ok(message.seq > this.lastSeq, `seq ${message.seq} after ${this.lastSeq}`);
    this.lastSeq = message.seq;
    if (message.type === "response") {
      const response = message as DebugProtocol.Response;
      const waiting = this.waiting.get(response.request_seq);
      assert.ok(waiting, `a second answer, or one to nothing: ${JSON.stringify(response)}`);
      assert.equal(response.command, waiting.command);
      this.waiting.delete(response.request_seq);
      if (response.success) {
        waiting.resolve(response.body);
      } else {
        const body = response.body as { error?: { format?: string } } | undefined;
        waiting.reject(new Error(body?.error?.format ?? response.message ?? "refused"));
      }
    } else if (message.type === "event") {
      const event = message as DebugProtocol.Event;
      if (event.event === "output") {
        this.output.push((event as DebugProtocol.OutputEvent).body.output);
      } else {
        this.events.push(event);
        [...this.listeners].forEach((look) => look());
      }
    }
  }

  private failAll(why: string): void {
    this.waiting.forEach(({ command, reject }) => reject(new Error(`${command}: ${why}`)));
    this.waiting.clear();
  }
}

function deadline<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
