/**
 * One program at a time works with Wine here: all share one Windows, its registry and its store.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { say } from "../lib/terminal.mjs";
import { CACHE } from "./environment.mjs";

/** Milliseconds after which a program that waits says so. */
const PATIENCE = 1_000;

/**
 * Waits until nobody else works with Wine, and gives what lets others do so. The lock goes with this
 * process, however that ends.
 *
 * @returns {Promise<() => void>}
 */
export async function lockWine() {
  mkdirSync(CACHE, { recursive: true });
  // The system's lock, held by a process that ends when its standard input does.
  const holder = spawn("flock", [join(CACHE, "lock"), "sh", "-c", "echo held; cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const held = new Promise((resolve, reject) => {
    holder.stdout.once("data", resolve);
    holder.once("error", reject);
    holder.once("exit", () => reject(new Error("Wine can't be locked.")));
  });
  const isLate = await Promise.race([held.then(() => false), sleep(PATIENCE, true)]);
  if (isLate) say("Another program works with Wine here. Waiting for its end ...");
  await held;
  return () => void holder.stdin.end();
}
