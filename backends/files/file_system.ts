/**
 * The file system as this backend sees it: the part of `node:fs/promises` that it calls.
 *
 * @module
 */

import { constants } from "node:fs";
import * as nodeFileSystem from "node:fs/promises";
import { join } from "node:path";

/** What is asked of a file or directory. */
export interface FileStatus {
  /** Owner. */
  readonly uid: number;
  /** Type and permission bits. */
  readonly mode: number;
  /** Last modification, milliseconds since the Unix epoch. */
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

/** An open file. */
export interface OpenFile {
  stat(): Promise<FileStatus>;
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
  writeFile(data: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A part of `node:fs/promises`; failures are errors with a `code` such as `ENOSPC`. */
export interface FileSystem {
  open(path: string, flags: string | number, mode?: number): Promise<OpenFile>;
  lstat(path: string): Promise<FileStatus>;
  mkdir(path: string, options: { recursive?: boolean; mode: number }): Promise<unknown>;
  readdir(path: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  utimes(path: string, atime: number, mtime: number): Promise<void>;
}

/** The file system of the host. */
export function hostFileSystem(): FileSystem {
  return nodeFileSystem;
}

/** Reads, follows no symbolic link, doesn't wait for the writer of a pipe. */
export const READ_FLAGS: number = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) |
  (constants.O_NONBLOCK ?? 0);

/** The `code` of a failed call: `ENOENT`, say. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Whether a failure may pass by itself: a full disk, too many open files. */
export function isTransient(error: unknown): boolean {
  return TRANSIENT.has(errorCode(error));
}

const TRANSIENT: ReadonlySet<string | undefined> = new Set([
  "EAGAIN",
  "EBUSY",
  "EDQUOT",
  "EMFILE",
  "ENFILE",
  "ENOSPC",
]);

/** What `call` gives, or `undefined` where it fails because something isn't there. */
export async function ifPresent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Removes a directory and the files in it, as far as that goes. */
export async function removeShallow(fs: FileSystem, path: string): Promise<void> {
  const names = await fs.readdir(path).catch(() => []);
  for (const name of names) await fs.unlink(join(path, name)).catch(() => {});
  await fs.rmdir(path).catch(() => {});
}
