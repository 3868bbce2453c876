/**
 * A lock that processes share through a directory and that outlives none of its holders.
 *
 * The lock is a directory with its holder's token in it, a file whose name says who that is and
 * holds a nonce. No directory, or an empty one, is a free lock. There are two moves:
 *
 * - To put a token: make a staging directory with the token in it and rename it to the lock's
 *   name. File systems refuse that where the name is a directory with something in it (on Windows:
 *   any directory), so of all who try one succeeds, and never beside a token that is there.
 * - To remove a token by its name: its owner does so to release the lock, a waiter once it has
 *   found the owner dead. That finding is for ever and the name never comes back, so it does no
 *   harm however late it comes.
 *
 * What a waiter reads in between are hints: nothing rests on a listing being complete or current.
 * Neither hard links nor exclusive creation are needed, which some file systems lack.
 *
 * Whoever has put its token touches it there. That is the first heartbeat, and the proof that it
 * is there, should the staging directory have been taken for abandoned in the meantime.
 *
 * A holder that can't be judged by its pid (another host or container, no access to /proc) is
 * judged by its heartbeats; one that is silent for 30 s loses the lock, alive or not. Hosts that
 * share such a directory need clocks that agree within some seconds.
 *
 * @module
 */

import { join } from "node:path";
import type { Clock } from "../../src/clock.ts";
import { lockTimeout } from "../../src/lock_queue.ts";
import { errorCode, type FileSystem, ifPresent, removeShallow } from "./file_system.ts";
import { decide, HEARTBEAT, type TokenSight, type Watch } from "./lock_decision.ts";
import {
  isComparable,
  judgeOwner,
  ownerOf,
  type PidState,
  type ProcessIdentity,
  tokenOf,
} from "./lock_owner.ts";
import type { PrivateDirectory } from "./private_directory.ts";

/** What a lock needs of its surroundings. */
export interface LockSurroundings {
  /** Where the lock is. */
  readonly directory: PrivateDirectory;
  /** Time. */
  readonly clock: Clock;
  /** This process. */
  readonly self: ProcessIdentity;
  /** What the host says of a pid. */
  readonly pidState: (pid: number) => Promise<PidState>;
  /** 16 hex digits that never come again. */
  readonly nonce: () => string;
  /** Randomness in [0, 1), so that waiters don't march in step. */
  readonly random: () => number;
  /** Runs `beat` every so many milliseconds until the returned function is called. */
  readonly every: (interval: number, beat: () => void) => () => void;
}

/** How a lock is waited for. */
export interface FileLockWait {
  /** When to give up, milliseconds since the Unix epoch. */
  readonly deadline: number;
  /** What the wait was in full, milliseconds, for the error. */
  readonly timeout: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const SHORTEST_PAUSE = 5;
const LONGEST_PAUSE = 100;

/**
 * Takes the lock of this name and returns what releases it.
 *
 * Rejects with `store_lock_timeout`, the signal's reason or the file system's error.
 */
export async function acquireFileLock(
  name: string,
  surroundings: LockSurroundings,
  wait: FileLockWait,
): Promise<() => Promise<void>> {
  const { self, nonce, every } = surroundings;
  const lock = new TokenDirectory(name, tokenOf({ ...self, nonce: nonce() }), surroundings);
  try {
    await enter(lock, surroundings, wait);
  } catch (error) {
    // The token may be there though the answer got lost or the touch after it failed.
    await release(lock, every).catch(() => {});
    throw error;
  }
  const stop = every(HEARTBEAT, () => void lock.touch().catch(() => {}));
  return async () => {
    stop();
    await release(lock, every);
  };
}

/** Removes one's token; where the disk fails, again and again: nobody else may while one lives. */
async function release(lock: TokenDirectory, every: LockSurroundings["every"]): Promise<void> {
  try {
    await lock.release();
  } catch (error) {
    const stop = every(HEARTBEAT, () => void lock.release().then(() => stop(), () => {}));
    throw error;
  }
}

async function enter(
  lock: TokenDirectory,
  { clock, random }: LockSurroundings,
  { deadline, timeout, signal }: FileLockWait,
): Promise<void> {
  let watch: Watch | undefined;
  let pause = SHORTEST_PAUSE;
  while (true) {
    signal?.throwIfAborted();
    const now = clock.now();
    const next = decide(await lock.look(), watch, now);
    if (next.step === "remove") {
      await lock.remove(next.token);
      continue;
    }
    if (next.step === "enter" && await lock.touch()) return;
    if (next.step === "put" && await lock.put()) return;
    if (next.step === "wait") watch = next.watch;
    if (now >= deadline) throw lockTimeout(timeout);
    await clock.sleep(Math.min(pause * (0.5 + random()), deadline - now), signal);
    pause = Math.min(pause * 1.5, LONGEST_PAUSE);
  }
}

/** A lock as one of those sees it who want it. */
class TokenDirectory {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #token: string;
  readonly #surroundings: LockSurroundings;

  constructor(name: string, token: string, surroundings: LockSurroundings) {
    this.#fs = surroundings.directory.fs;
    this.#path = surroundings.directory.path(name);
    this.#token = token;
    this.#surroundings = surroundings;
  }

  /** The token that a listing shows. */
  async look(): Promise<TokenSight | undefined> {
    const names = await ifPresent(this.#fs.readdir(this.#path)) ?? [];
    const token = names.find((name) => ownerOf(name) !== undefined);
    if (token === undefined) return undefined;
    const owner = ownerOf(token)!;
    const { self, pidState } = this.#surroundings;
    const pid = isComparable(owner, self) ? await pidState(owner.pid) : UNSEEN;
    const liveness = judgeOwner(owner, self, pid);
    const status = await ifPresent(this.#fs.lstat(join(this.#path, token)));
    if (status === undefined) return undefined;
    return { token, mine: token === this.#token, liveness, touched: status.mtimeMs };
  }

  /** Puts one's token; `false` where there is one. */
  async put(): Promise<boolean> {
    const staging = this.#surroundings.directory.stagingPath();
    await this.#fs.mkdir(staging, { mode: 0o700 });
    try {
      const file = await this.#fs.open(join(staging, this.#token), "wx", 0o600);
      await file.close();
      await this.#fs.rename(staging, this.#path);
    } catch (error) {
      await removeShallow(this.#fs, staging);
      if (!OCCUPIED.has(errorCode(error))) throw error;
      // Where an empty directory is in the way, as on Windows; one with a token stays.
      await this.#fs.rmdir(this.#path).catch(() => {});
      return false;
    }
    return await this.touch();
  }

  /** Gives a heartbeat; `false` where one's token isn't there. */
  async touch(): Promise<boolean> {
    const now = this.#surroundings.clock.now() / 1000;
    const touching = this.#fs.utimes(join(this.#path, this.#token), now, now);
    return await ifPresent(touching.then(() => true)) === true;
  }

  /** Removes one's token if it is there. */
  async release(): Promise<void> {
    await this.remove(this.#token);
    await this.#fs.rmdir(this.#path).catch(() => {});
  }

  /** Removes the token of this name if it is there. */
  async remove(token: string): Promise<void> {
    await ifPresent(this.#fs.unlink(join(this.#path, token)));
  }
}

const UNSEEN: PidState = { state: "unknown" };

/** What a rename to a directory that is in the way fails with; on Windows with the last two. */
const OCCUPIED: ReadonlySet<string | undefined> = new Set([
  "ENOTEMPTY",
  "EEXIST",
  "EPERM",
  "EACCES",
]);
