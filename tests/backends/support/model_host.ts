/**
 * A host in miniature: a file system in memory whose every step a test schedules, and processes
 * that can be killed between any two steps.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { basename, dirname, sep } from "node:path";
import type { FileStatus, FileSystem } from "../../../backends/files/file_system.ts";
import type { PidState } from "../../../backends/files/lock_owner.ts";
import type { Clock } from "../../../src/clock.ts";

interface Step {
  readonly pid: number;
  readonly run: () => void;
}

interface Node {
  readonly isDirectory: boolean;
  mtime: number;
}

/** The host; the calls of its processes take effect one by one, in the order of {@linkcode step}. */
export class ModelHost {
  readonly #nodes = new Map<string, Node>();
  readonly #killed = new Set<number>();
  #steps: Step[] = [];
  #now = 0;

  readonly #replacesEmpty: boolean;

  /**
   * A host with one directory. `replacesEmpty` says whether a directory may be renamed to one that
   * is empty, as POSIX has it, or to none, as Windows does.
   */
  constructor(directory: string, replacesEmpty: boolean) {
    this.#nodes.set(directory, { isDirectory: true, mtime: 0 });
    this.#replacesEmpty = replacesEmpty;
  }

  /** How many calls wait to take effect. */
  get pending(): number {
    return this.#steps.length;
  }

  /** The paths that exist. */
  get paths(): string[] {
    return [...this.#nodes.keys()];
  }

  /**
   * Lets a pending call of this process take effect, or the one that has waited longest where the
   * process waits for nothing, and what follows from it run.
   */
  async step(pid: number): Promise<void> {
    const place = this.#steps.findIndex((step) => step.pid === pid);
    const [step] = this.#steps.splice(Math.max(place, 0), 1);
    this.#now++;
    step?.run();
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
  }

  /** Kills a process: its pending call never takes effect. */
  kill(pid: number): void {
    this.#killed.add(pid);
    this.#steps = this.#steps.filter((step) => step.pid !== pid);
  }

  /** What the host says of a pid. */
  pidState(pid: number): PidState {
    return this.#killed.has(pid) ? { state: "absent" } : { state: "present", startTime: "1" };
  }

  /** The clock of a process; to sleep is to wait for a turn. */
  clock(pid: number): Clock {
    return { now: () => this.#now, sleep: () => this.#call(pid, () => {}) };
  }

  /** The file system as a process sees it. */
  fileSystem(pid: number): FileSystem {
    const call = <T>(effect: () => T) => this.#call(pid, effect);
    return {
      open: async (path) => {
        await call(() => {
          if (this.#nodes.has(path)) throw failure("EEXIST");
          this.#add(path, false);
        });
        const close = () => Promise.resolve();
        const unused = () => Promise.reject(new Error("The lock doesn't call this."));
        return { close, stat: unused, read: unused, writeFile: unused, sync: unused };
      },
      lstat: (path) => call(() => statusOf(this.#node(path))),
      mkdir: (path) =>
        call(() => {
          if (this.#nodes.has(path)) throw failure("EEXIST");
          this.#add(path, true);
        }),
      // In two parts, as POSIX allows: what is renamed in between may show twice or not at all.
      readdir: async (path) => {
        const isEarly = (name: string) => name.charCodeAt(name.length - 1) % 2 === 0;
        const early = await call(() => this.#children(path).filter(isEarly));
        const late = await call(() => this.#children(path).filter((name) => !isEarly(name)));
        return [...early, ...late];
      },
      rename: (from, to) =>
        call(() => {
          const node = this.#node(from);
          if (node.isDirectory && this.#nodes.has(to)) {
            if (!this.#replacesEmpty) throw failure("EPERM");
            if (this.#children(to).length > 0) throw failure("ENOTEMPTY");
          }
          if (!this.#nodes.has(dirname(to))) throw failure("ENOENT");
          for (const path of this.paths) {
            if (path !== from && !path.startsWith(from + sep)) continue;
            this.#nodes.set(to + path.slice(from.length), this.#nodes.get(path)!);
            this.#nodes.delete(path);
          }
        }),
      unlink: (path) =>
        call(() => {
          this.#node(path);
          this.#nodes.delete(path);
        }),
      rmdir: (path) =>
        call(() => {
          if (this.#children(path).length > 0) throw failure("ENOTEMPTY");
          this.#nodes.delete(path);
        }),
      utimes: (path, _atime, mtime) =>
        call(() => {
          this.#node(path).mtime = mtime * 1000;
        }),
    };
  }

  #call<T>(pid: number, effect: () => T): Promise<T> {
    if (this.#killed.has(pid)) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      };
      this.#steps.push({ pid, run });
    });
  }

  #node(path: string): Node {
    const node = this.#nodes.get(path);
    if (node === undefined) throw failure("ENOENT");
    return node;
  }

  #add(path: string, isDirectory: boolean): void {
    this.#node(dirname(path));
    this.#nodes.set(path, { isDirectory, mtime: this.#now });
  }

  #children(path: string): string[] {
    if (!this.#node(path).isDirectory) throw failure("ENOTDIR");
    return this.paths.filter((other) => dirname(other) === path).map((other) => basename(other));
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function statusOf({ isDirectory, mtime }: Node): FileStatus {
  return {
    uid: 0,
    mode: isDirectory ? 0o700 : 0o600,
    mtimeMs: mtime,
    isFile: () => !isDirectory,
    isDirectory: () => isDirectory,
    isSymbolicLink: () => false,
  };
}
