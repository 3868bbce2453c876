/**
 * The program without its process: which command, what it says, how it ends.
 *
 * @module
 */

import { isKeyboundError } from "../src/errors.ts";
import { VERSION } from "../src/version.ts";
import { certs } from "./certs.ts";
import { type Command, type ExitCode, type Surroundings, UsageError } from "./command.ts";
import { doctor } from "./doctor.ts";
import { emulator } from "./emulator.ts";
import { keys } from "./keys.ts";
import { proxy } from "./proxy.ts";
import { painter, plainText } from "./style.ts";
import { token } from "./token.ts";

export type { ExitCode };

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({ token, doctor, certs, keys, emulator, proxy }),
);

/** Runs the command that the arguments name. */
export async function run(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { print, note, colours } = surroundings;
  const paint = painter(colours);
  const [name = "--help", ...rest] = args;
  const command = COMMANDS.get(name);
  if (command === undefined) {
    if (name === "--version") return print(VERSION), 0;
    if (name === "help" && rest[0] !== undefined) {
      return await run([rest[0], "--help"], surroundings);
    }
    if (["--help", "-h", "help"].includes(name)) return print(help()), 0;
    note(`keybound: There is no command of this name. See 'keybound --help'.`);
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) return print(command.help), 0;
  try {
    return await command.run(rest, surroundings) ?? 0;
  } catch (error) {
    const message = plainText(error instanceof Error ? error.message : "unknown");
    const label = paint("red", "keybound:");
    if (error instanceof UsageError) {
      note(`${label} ${message} See 'keybound ${name} --help'.`);
      return 2;
    }
    note(`${label} ${isKeyboundError(error) ? `${error.code}: ` : ""}${message}`);
    return 1;
  }
}

function help(): string {
  const lines = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return `keybound <command> [options]: access tokens bound to a private key

${lines.join("\n")}

'keybound <command> --help' says more. 'keybound --version' is the version.

Examples

  keybound doctor
  keybound token --resource https://vault.azure.net
  keybound emulator --tls-dir ./emulator
`;
}
