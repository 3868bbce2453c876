/**
 * The host that is verified, as the checks see it.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Cng } from "../../../backends/windows/cng.ts";
import { isTierMissing } from "../../../backends/windows/status.ts";
import type { WindowsSystem } from "../../../backends/windows/system.ts";
import { TierKeys } from "../../../backends/windows/tier_keys.ts";
import { TIERS } from "../../../backends/windows/tiers.ts";
import { isKeyboundError } from "../../../src/errors.ts";
import type { KeyStrength } from "../../../src/keys.ts";
import { explain, Impossible, type Verification } from "./verification.ts";

/** Strengths, best first. */
export const STRENGTHS: readonly KeyStrength[] = ["keyguard", "hardware", "software"];

/** What checks need. */
export interface Host {
  readonly verification: Verification;
  readonly system: WindowsSystem;
  /** Random, part of the name of everything that is made: nothing else is touched. */
  readonly run: string;
}

/** The keys of one strength, whichever the host would choose. */
export function keysOf(system: WindowsSystem, strength: KeyStrength): TierKeys {
  return new TierKeys(TIERS[strength], { cng: new Cng(system), machine: false, crypto });
}

/** What `create` gives; `Impossible`, with the status, where the host doesn't make such keys. */
export async function unlessMissing<T>(create: Promise<T>): Promise<T> {
  try {
    return await create;
  } catch (error) {
    if (isTierMissing(error) || isKeyboundError(error, "unsupported_key")) {
      throw new Impossible(explain(error));
    }
    throw error;
  }
}

/** Another process, and what it has said. */
export interface OtherProcess {
  /** The value that it writes next. */
  next(): Promise<unknown>;
  /** Ends it at once, whatever it holds. */
  kill(): Promise<void>;
}

/** Another process of this runtime that does a task of `other_process.ts`. */
export function otherProcess(task: Readonly<Record<string, unknown>>): OtherProcess {
  const program = fileURLToPath(new URL("./other_process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [...runtimeArguments(), program, JSON.stringify(task)],
    { stdio: ["pipe", "pipe", "inherit"], windowsHide: true },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`The other process ended with code ${child.exitCode}.`);
      return JSON.parse(value);
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** What goes before the path of a program in TypeScript. */
function runtimeArguments(): readonly string[] {
  if (process.versions.deno !== undefined) return ["run", "-A", "--no-check"];
  return process.versions.bun === undefined ? process.execArgv : [];
}
