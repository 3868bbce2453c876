/**
 * TLS servers for a test, in a Node process of their own.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Ready, ServerEvent, ServerSpecs } from "./tls_protocol.ts";

/** Servers that run. */
export interface TlsServers {
  /** The URL of a path on this server. */
  url(server: string, path?: string): string;
  /** The next event of this kind on this server that nobody has been given. */
  next(server: string, event: ServerEvent["event"]): Promise<ServerEvent>;
  /** How many events of this kind there were so far. */
  count(server: string, event: ServerEvent["event"]): number;
  /** Ends them. */
  close(): Promise<void>;
}

/** Starts these servers on 127.0.0.1. */
export async function startTlsServers(specs: ServerSpecs): Promise<TlsServers> {
  const main = fileURLToPath(new URL("./tls_servers_main.ts", import.meta.url));
  const [node, ...loader] = nodeCommand();
  const child = spawn(node, [...loader, main], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const events = new Events();
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.on("error", reject);
    exited.then(() => reject(new Error("The server process has ended.")));
    const lines = createInterface({ input: child.stdout! });
    lines.once("line", (line) => {
      lines.on("line", (event) => events.push(JSON.parse(event)));
      resolve(JSON.parse(line));
    });
    child.stdin!.write(`${JSON.stringify(specs)}\n`);
  });
  return {
    url: (server, path = "/") => `https://localhost:${ready.ports[server]}${path}`,
    next: (server, event) => events.next(`${server} ${event}`),
    count: (server, event) => events.count(`${server} ${event}`),
    async close() {
      end(child);
      await exited;
    },
  };
}

function end(child: ChildProcess): void {
  child.stdin?.end();
}

/** Events by kind: those that nobody has been given, and those who wait for one. */
class Events {
  readonly #counts = new Map<string, number>();
  readonly #queues = new Map<string, ServerEvent[]>();
  readonly #waiting = new Map<string, ((event: ServerEvent) => void)[]>();

  push(event: ServerEvent): void {
    const kind = `${event.server} ${event.event}`;
    this.#counts.set(kind, this.count(kind) + 1);
    const waiter = this.#waiting.get(kind)?.shift();
    if (waiter === undefined) listIn(this.#queues, kind).push(event);
    else waiter(event);
  }

  async next(kind: string): Promise<ServerEvent> {
    const event = this.#queues.get(kind)?.shift();
    return event ?? await new Promise((resolve) => listIn(this.#waiting, kind).push(resolve));
  }

  count(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }
}

function listIn<T>(lists: Map<string, T[]>, kind: string): T[] {
  const list = lists.get(kind) ?? [];
  lists.set(kind, list);
  return list;
}

/** The command that runs TypeScript on Node: `KEYBOUND_NODE`, this process's own, or the PATH's. */
function nodeCommand(): [string, ...string[]] {
  const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
  const node = process.env.KEYBOUND_NODE ?? (isNode ? process.execPath : "node");
  const { stdout, error } = spawnSync(node, ["-p", "process.features.typescript"]);
  if (error !== undefined) {
    throw new Error(`There is no '${node}' to run servers on: set KEYBOUND_NODE.`, {
      cause: error,
    });
  }
  return stdout.toString().trim() === "strip" ? [node] : [node, "--import", "tsx"];
}
