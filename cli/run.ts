/**
 * The program without its process: which command, what it says, how it ends.
 *
 * @module
 */

import { isKeyboundError } from "../src/errors.ts";
import { VERSION } from "../src/version.ts";
import { type Command, type Surroundings, UsageError } from "./command.ts";
import { keys } from "./keys.ts";

/** Exit codes: done, failed, not understood. */
export type ExitCode = 0 | 1 | 2;

/** Surroundings of a program. */
export interface ProgramSurroundings extends Surroundings {
  /** Writes a line on what went wrong. */
  complain(line: string): void;
}

const COMMANDS: ReadonlyMap<string, Command> = new Map([["keys", keys]]);

/** Runs the command that the arguments name. */
export async function run(
  args: readonly string[],
  surroundings: ProgramSurroundings,
): Promise<ExitCode> {
  const { print, complain } = surroundings;
  const [name = "--help", ...rest] = args;
  const command = COMMANDS.get(name);
  if (command === undefined) {
    if (name === "--version") return print(VERSION), 0;
    if (name === "--help" || name === "help") return print(help()), 0;
    complain(`keybound: There is no command of this name. See 'keybound --help'.`);
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) return print(command.help), 0;
  try {
    await command.run(rest, surroundings);
    return 0;
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UsageError) {
      complain(`keybound: ${message} See 'keybound ${name} --help'.`);
      return 2;
    }
    complain(`keybound: ${isKeyboundError(error) ? `${error.code}: ` : ""}${message}`);
    return 1;
  }
}

function help(): string {
  const lines = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return [
    "keybound <command> [options]: access tokens bound to a private key",
    "",
    ...lines,
    "",
    "'keybound <command> --help' says more. 'keybound --version' is the version.",
  ].join("\n");
}
