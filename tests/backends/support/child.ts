/**
 * Programs run by the runtime that runs the tests.
 *
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import process from "node:process";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** A started program; its standard error is the test's. */
export type Program = ChildProcessByStdio<null, Readable, null>;

/** Starts a program written in TypeScript. */
export function startProgram(module: URL, parameters: readonly string[]): Program {
  const options = [...runtimeOptions(), fileURLToPath(module), ...parameters];
  return spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] });
}

/** The exit code, `null` after a signal. */
export function ended(program: Program): Promise<number | null> {
  return new Promise((resolve, reject) => {
    program.once("exit", (code) => resolve(code));
    program.once("error", reject);
  });
}

/** Resolves when the program has written this line. */
export async function written(program: Program, line: string): Promise<void> {
  let text = "";
  for await (const chunk of program.stdout) {
    text += String(chunk);
    if (text.split("\n").includes(line)) return;
  }
  throw new Error(`The program ended without writing '${line}'.`);
}

function runtimeOptions(): string[] {
  if ("Deno" in globalThis) return ["run", "--no-check", "-A"];
  if ("Bun" in globalThis) return [];
  // From version 22.18 on Node strips types itself.
  return Number(process.versions.node.split(".")[0]) < 22 ? ["--import", "tsx"] : [];
}
