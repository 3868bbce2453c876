/**
 * The program `keybound`, run in this process or as one of its own.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ExitCode } from "../../../cli/command.ts";
import { run } from "../../../cli/run.ts";

/** What a run came to. */
export interface Outcome {
  readonly code: ExitCode;
  /** Standard output. */
  readonly output: string;
  /** Standard error. */
  readonly complaint: string;
  /** What was asked on the terminal. */
  readonly questions: readonly string[];
}

/** How the program is run. */
export interface Setting {
  readonly environment?: Readonly<Record<string, string>>;
  /** The answer to every question; without one there is no terminal. */
  readonly answer?: string | undefined;
  readonly colours?: boolean;
}

/** Runs the program to its end. */
export async function keybound(args: readonly string[], setting: Setting = {}): Promise<Outcome> {
  return await startKeybound(args, setting).ended;
}

/** A program under way. */
export interface Running {
  /** Resolves when it has ended. */
  readonly ended: Promise<Outcome>;
  /** Lines of standard output so far. */
  readonly lines: readonly string[];
  /** Lines of standard error so far. */
  readonly notes: readonly string[];
  /** Resolves with the first line of standard output that fits; rejects where it ends without. */
  line(pattern: RegExp): Promise<string>;
  /** As `line`, of standard error. */
  note(pattern: RegExp): Promise<string>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Outcome>;
}

/** Starts the program in this process. */
export function startKeybound(
  args: readonly string[],
  { environment = {}, answer, colours = false }: Setting = {},
): Running {
  const lines: string[] = [];
  const notes: string[] = [];
  const questions: string[] = [];
  const ending = new AbortController();
  let told = () => {};
  const ended = run(args, {
    environment,
    colours,
    signal: ending.signal,
    print: (line) => (lines.push(line), told()),
    note: (line) => (notes.push(line), told()),
    during: (_, work) => work,
    askSecret: (question) => {
      questions.push(question);
      return answer === undefined
        ? Promise.reject(new Error("no terminal"))
        : Promise.resolve(answer);
    },
  }).then((code) => ({
    code,
    output: lines.join("\n"),
    complaint: notes.join("\n"),
    questions,
  }));
  const waitFor = (among: readonly string[]) => (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const before = told;
      const look = () => {
        const found = among.find((line) => pattern.test(line));
        if (found !== undefined) resolve(found);
      };
      told = () => (before(), look());
      look();
      ended.then(({ complaint }) => reject(new Error(`It ended without that line. ${complaint}`)));
    });
  return {
    ended,
    lines,
    notes,
    line: waitFor(lines),
    note: waitFor(notes),
    stop: () => (ending.abort(), ended),
  };
}

/** What a process of its own came to. */
export interface ProcessOutcome {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** Runs the program in a process of its own; `onOutput` sees what it has written so far. */
export function spawnKeybound(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  onOutput: (output: string, end: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<ProcessOutcome> {
  const main = fileURLToPath(new URL("../../../cli/main.ts", import.meta.url));
  const child = spawn(process.execPath, [...runtimeOptions(), main, ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let complaint = "";
  let signalled = false;
  const end = (signal: NodeJS.Signals) => {
    // Once; and not by `child.kill`, after which Deno tells of no exit code but the signal's.
    if (!signalled) process.kill(child.pid!, signal);
    signalled = true;
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    onOutput(output, end);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output, complaint }));
  });
}

function runtimeOptions(): string[] {
  if ("Deno" in globalThis) return ["run", "--no-check", "-A"];
  if ("Bun" in globalThis) return [];
  // From version 22.18 on Node strips types itself.
  return Number(process.versions.node.split(".")[0]) < 22 ? ["--import", "tsx"] : [];
}
