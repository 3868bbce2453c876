/**
 * Starts an emulator where this runtime can run one.
 *
 * @module
 */

import process from "node:process";
import { serveEmulator } from "./server.ts";
import { spawnEmulator } from "./spawn.ts";
import type { Emulator, EmulatorOptions } from "./types.ts";

/**
 * Starts an emulator: in this process on Node, in a Node child process elsewhere (as
 * `spawnEmulator` does), since the TLS servers of other runtimes can't be made to misbehave.
 *
 * Rejects with `missing_dependency` that says what to install, `invalid_argument` for options that
 * aren't understood.
 *
 * @example
 * ```ts
 * const emulator = await startEmulator({ state: { certificateLifetime: 600_000 } });
 * try {
 *   // ...
 * } finally {
 *   await emulator.close(); // or `await using emulator = ...` where the language has it
 * }
 * ```
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
  return await (isNode ? serveEmulator(options) : spawnEmulator(options));
}
