/**
 * What `AttestationClientLib.dll` says while it works, made fit to be logged.
 *
 * @module
 */

import { scrub } from "../../src/scrub.ts";

/** A line of the library's log, without anything that looks like a token. */
export interface AttestationLogLine {
  /** How grave it is. */
  readonly level: "error" | "info" | "warning";
  /** The part of the library, and the function and line in it. */
  readonly origin: string;
  /** What it says; at most 600 characters. */
  readonly message: string;
}

const LEVELS = ["error", "warning", "info"] as const;

/**
 * The line; `undefined` for the level `Debug`, where the library tells what is nobody's business
 * (protocol.md section 5.5), and for levels that aren't known.
 */
export function attestationLogLine(
  level: number,
  tag: string,
  functionName: string,
  line: number,
  message: string,
): AttestationLogLine | undefined {
  const name = LEVELS[level];
  if (name === undefined) return undefined;
  const origin = scrub(`${tag} ${functionName}:${line}`);
  return { level: name, origin, message: scrub(message) };
}
