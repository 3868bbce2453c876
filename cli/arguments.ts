/**
 * Arguments as the commands read them. What isn't understood is never repeated: it may be a secret.
 *
 * @module
 */

import { isAbsolute, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isKeyboundError } from "../src/errors.ts";
import { UsageError } from "./command.ts";

/** Options of a command by name, as `parseArgs` takes them. */
export type OptionTable = Readonly<
  Record<string, { readonly type: "string" | "boolean"; readonly multiple?: boolean }>
>;

/** The values of the options that were given. */
export type Values<Options extends OptionTable> = {
  readonly [Name in keyof Options]?: Options[Name]["multiple"] extends true ? string[]
    : Options[Name]["type"] extends "boolean" ? boolean
    : string;
};

/** Arguments, taken apart. */
export interface Arguments<Options extends OptionTable> {
  /** Options. */
  readonly values: Values<Options>;
  /** What is no option. */
  readonly positionals: readonly string[];
}

/** The arguments, taken apart. Throws {@linkcode UsageError}. */
export function readArguments<const Options extends OptionTable>(
  args: readonly string[],
  options: Options,
): Arguments<Options> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: structuredClone(options) as Record<string, { type: "string" | "boolean" }>,
      allowPositionals: true,
    });
    return { values: values as Values<Options>, positionals };
  } catch (cause) {
    throw new UsageError("There is an option that isn't known, or one that lacks its value.", {
      cause: (cause as { code?: string }).code,
    });
  }
}

/** Options of a command that takes nothing else. Throws {@linkcode UsageError}. */
export function readOptions<const Options extends OptionTable>(
  args: readonly string[],
  options: Options,
): Values<Options> {
  const { values, positionals } = readArguments(args, options);
  if (positionals.length > 0) {
    throw new UsageError("There is an argument that belongs to no option.");
  }
  return values;
}

/** What `read` gives; what it finds invalid in its input is a {@linkcode UsageError}. */
export function understood<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { message } = error as Error;
    if (isKeyboundError(error, "invalid_argument")) throw new UsageError(message);
    throw error;
  }
}

/** The text if it is one of these. */
export function oneOf<const Choice extends string>(
  text: string,
  choices: readonly Choice[],
  option: string,
): Choice {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const list = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new UsageError(`'${option}' is ${choices.length === 1 ? choices[0] : list}.`);
}

/** A TCP port; 0 leaves the choice to the system. */
export function portNumber(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`'${option}' is a port, 0 to 65535.`);
}

/** An absolute path; a relative one counts from the working directory. */
export function absolutePath(text: string, option: string): string {
  if (text.trim() === "" || text.includes("\0")) throw new UsageError(`'${option}' is a path.`);
  return isAbsolute(text) ? text : resolve(text);
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `1500`, `90s`, `10m`, `24h`, `-7d`. */
export function durationOf(text: string, option: string): number {
  const [, number = "", unit = ""] = /^(-?\d{1,12})(ms|s|m|h|d|)$/.exec(text) ?? [];
  if (number !== "") return Number(number) * UNITS[unit]!;
  throw new UsageError(
    `'${option}' is a time: milliseconds, or with a unit as in 90s, 10m, 24h, 7d.`,
  );
}
