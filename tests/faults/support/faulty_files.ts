/**
 * The host's files, on a disk that can fail.
 *
 * @module
 */

import type { FileSystem, OpenFile } from "../../../backends/files/file_system.ts";
import { hostFileSystem } from "../../../backends/files/file_system.ts";

/** What is wrong with a disk: full, read-only, out of bounds, broken. */
export type DiskTrouble = "ENOSPC" | "EROFS" | "EACCES" | "EIO";

/** A file system with trouble, or without. */
export interface FaultyFiles {
  readonly fs: FileSystem;
  /** What fails from now on; nothing where it is `undefined`. */
  fail(trouble: DiskTrouble | undefined): void;
  /** Resolves when a lock is looked at that may be held. */
  lockSeen(): Promise<void>;
}

/** Calls that add to a disk, and those that change it in any way. */
const ADDS: readonly string[] = ["create", "mkdir", "writeFile", "sync"];
const CHANGES: readonly string[] = [...ADDS, "rename", "unlink", "rmdir", "utimes"];

/** The host's file system, in good order to begin with. */
export function faultyFiles(): FaultyFiles {
  const host = hostFileSystem();
  let trouble: DiskTrouble | undefined;
  const onLockSeen: (() => void)[] = [];
  const guarded = async <T>(call: string, work: () => Promise<T>): Promise<T> => {
    const fails = trouble === "ENOSPC"
      ? ADDS.includes(call)
      : trouble === "EROFS"
      ? CHANGES.includes(call)
      : trouble !== undefined;
    if (fails) throw Object.assign(new Error(`${trouble}: ${call}`), { code: trouble });
    return await work();
  };
  const guardedFile = (file: OpenFile): OpenFile => ({
    stat: () => file.stat(),
    read: (...parameters) => guarded("read", () => file.read(...parameters)),
    writeFile: (content) => guarded("writeFile", () => file.writeFile(content)),
    sync: () => guarded("sync", () => file.sync()),
    close: () => file.close(),
  });
  const fs: FileSystem = {
    open: (path, flags, mode) =>
      guarded(
        flags === "wx" ? "create" : "open",
        async () => guardedFile(await host.open(path, flags, mode)),
      ),
    lstat: (path) => guarded("lstat", () => host.lstat(path)),
    mkdir: (path, options) => guarded("mkdir", () => host.mkdir(path, options)),
    readdir: (path) => {
      if (path.endsWith(".lock")) onLockSeen.splice(0).forEach((notify) => notify());
      return guarded("readdir", () => host.readdir(path));
    },
    rename: (from, to) => guarded("rename", () => host.rename(from, to)),
    unlink: (path) => guarded("unlink", () => host.unlink(path)),
    rmdir: (path) => guarded("rmdir", () => host.rmdir(path)),
    utimes: (path, atime, mtime) => guarded("utimes", () => host.utimes(path, atime, mtime)),
  };
  return {
    fs,
    fail: (next) => void (trouble = next),
    lockSeen: () => new Promise((resolve) => onLockSeen.push(resolve)),
  };
}
