/**
 * Other processes with Windows' keys and locks, on other runtimes than this one.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Answer, Order } from "./windows_process_main.ts";

interface Runtime {
  readonly kind: "bun" | "deno" | "node";
  readonly program: string;
}

const ARGUMENTS: Readonly<Record<Runtime["kind"], readonly string[]>> = {
  bun: ["run"],
  deno: ["run", "--allow-all", "--no-check"],
  node: [],
};

/** The runtimes that this one isn't, each once: of `KEYBOUND_RUNTIMES`, which the runner sets. */
export function otherRuntimes(): readonly Runtime[] {
  const all = JSON.parse(process.env["KEYBOUND_RUNTIMES"] ?? "[]") as Runtime[];
  const own = process.versions.deno ? "deno" : process.versions.bun ? "bun" : "node";
  const others = new Map(all.map((runtime) => [runtime.kind, runtime]));
  others.delete(own);
  if (others.size === 0) throw new Error("KEYBOUND_RUNTIMES names no other runtime.");
  return [...others.values()];
}

/** A process that does what it is told. */
export class WindowsProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
    this.#exited = new Promise((resolve) => child.on("exit", () => resolve()));
  }

  /** Starts one on this runtime. */
  static start({ kind, program }: Runtime): WindowsProcess {
    const main = fileURLToPath(new URL("./windows_process_main.ts", import.meta.url));
    const stdio = ["pipe", "pipe", "inherit"] as const;
    return new WindowsProcess(spawn(program, [...ARGUMENTS[kind], main], { stdio: [...stdio] }));
  }

  /** Gives it an order and waits until it is done. Rejects with what went wrong there. */
  async tell(order: Order): Promise<Answer> {
    const line = new Promise<string>((resolve, reject) => {
      this.#lines.once("line", resolve);
      this.#exited.then(() => reject(new Error("The other process has ended.")));
    });
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const answer = JSON.parse(await line) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  /** Ends it at once, whatever it holds. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
