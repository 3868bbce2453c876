/**
 * What this backend takes from the host, each part replaceable in a test.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { type Clock, systemClock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import { type FileSystem, hostFileSystem } from "./file_system.ts";
import { identifyProcess, pidState } from "./host_process.ts";
import type { PidState, ProcessIdentity } from "./lock_owner.ts";

/** The host as the file backends see it. */
export interface Surroundings {
  /** Files. */
  readonly fs: FileSystem;
  /** Time. */
  readonly clock: Clock;
  /** The user whose files are trusted; none on Windows. */
  readonly uid: number | undefined;
  /** This process. */
  readonly identify: () => Promise<ProcessIdentity>;
  /** What the host says of a pid. */
  readonly pidState: (pid: number) => Promise<PidState>;
  /** 16 hex digits that never come again. */
  readonly nonce: () => string;
  /** Randomness in [0, 1). */
  readonly random: () => number;
  /** Runs `beat` every so many milliseconds until the returned function is called. */
  readonly every: (interval: number, beat: () => void) => () => void;
}

/** The host itself, but for the parts that are given. */
export function hostSurroundings(given: Partial<Surroundings> = {}): Surroundings {
  return {
    fs: given.fs ?? hostFileSystem(),
    clock: given.clock ?? systemClock(),
    uid: given.uid ?? effectiveUser(),
    identify: given.identify ?? identifyProcess,
    pidState: given.pidState ?? pidState,
    nonce: given.nonce ?? (() => randomBytes(8).toString("hex")),
    random: given.random ?? Math.random,
    every: given.every ?? everyUnreferenced,
  };
}

/** Without it, nobody could say whose files they are: that isn't done without. */
function effectiveUser(): number | undefined {
  try {
    return process.geteuid?.();
  } catch (cause) {
    throw new KeyboundError(
      "store_unavailable",
      "The runtime doesn't tell whose files may be trusted. With Deno, allow it: --allow-sys=uid.",
      { cause },
    );
  }
}

/** A heartbeat must not keep a process alive whose work has ended. */
function everyUnreferenced(interval: number, beat: () => void): () => void {
  const timer = setInterval(beat, interval).unref();
  return () => clearInterval(timer);
}
