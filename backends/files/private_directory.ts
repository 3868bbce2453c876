/**
 * A directory that only its owner writes to, and the files in it: read whole, replaced whole.
 *
 * On Windows there are no owner and permission bits to look at; there the directory is as private
 * as its access control list, which it inherits. Parent directories are the caller's choice.
 *
 * @module
 */

import { join, resolve } from "node:path";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import {
  errorCode,
  type FileStatus,
  type FileSystem,
  ifPresent,
  type OpenFile,
  READ_FLAGS,
  removeShallow,
} from "./file_system.ts";

/** What a {@linkcode PrivateDirectory} needs. */
export interface PrivateDirectoryOptions {
  /** Its path. */
  readonly path: string;
  /** Where it is. */
  readonly fs: FileSystem;
  /** The user whose files are trusted; none where the host has no such thing. */
  readonly uid: number | undefined;
  /** A name nobody else comes up with, [0-9a-f]. */
  readonly nonce: () => string;
}

/** What a file holds, or why it isn't looked into. */
export type FileContent =
  | { readonly state: "absent" }
  | { readonly state: "refused"; readonly reason: string }
  | { readonly state: "read"; readonly bytes: Bytes };

/** How a file must be to be read. */
export interface ReadRules {
  /** Longest content, bytes. */
  readonly maxSize: number;
  /** Permission bits that must not be set: 0o077 keeps even readers out. */
  readonly forbiddenMode: number;
}

/** Prefix of what is being written; a reader never sees it under its final name. */
const STAGING = ".staging-";

/** Age from which a staging file belongs to a process that died, milliseconds. */
const ABANDONED = 3_600_000;

/** Suffix of what was set aside. */
const REJECTED = ".rejected";

/** How many files set aside are kept for who wants to know. */
const MAX_REJECTED = 16;

const WRITABLE_BY_OTHERS = 0o022;

/** A directory of mode 0700 with files of mode 0600. Calls reject with the file system's errors. */
export class PrivateDirectory {
  readonly fs: FileSystem;
  readonly #options: PrivateDirectoryOptions;

  /** Throws `invalid_argument` for a path that is blank or holds NUL. */
  constructor(options: PrivateDirectoryOptions) {
    if (options.path.trim() === "" || options.path.includes("\0")) {
      throw new KeyboundError("invalid_argument", "'directory' must be the path of a directory.");
    }
    this.fs = options.fs;
    // A later change of the working directory must not lead elsewhere.
    this.#options = { ...options, path: resolve(options.path) };
  }

  /** The path of an entry. */
  path(name: string): string {
    return join(this.#options.path, name);
  }

  /** The path of an entry that nobody else writes. */
  stagingPath(): string {
    return this.path(STAGING + this.#options.nonce());
  }

  /**
   * Whether the directory is there. Rejects where it is a symbolic link, no directory, somebody
   * else's or writable by others: then anybody could have put its files there.
   */
  async check(): Promise<boolean> {
    const { path, uid } = this.#options;
    const status = await ifPresent(this.fs.lstat(path));
    if (status === undefined) return false;
    if (status.isSymbolicLink()) throw new Error("It is a symbolic link; name its target.");
    if (!status.isDirectory()) throw new Error("It is no directory.");
    const reason = mistrust(status, uid, WRITABLE_BY_OTHERS);
    if (reason !== undefined) throw new Error(`It ${reason}; change that, or name another.`);
    return true;
  }

  /** Makes the directory where it isn't there, and checks it. */
  async prepare(): Promise<void> {
    if (await this.check()) return;
    await this.fs.mkdir(this.#options.path, { recursive: true, mode: 0o700 });
    if (!await this.check()) throw new Error("It was removed while it was made.");
  }

  /** The names in the directory, sorted; none where it isn't there. */
  async names(): Promise<string[]> {
    if (!await this.check()) return [];
    return (await this.fs.readdir(this.#options.path)).sort();
  }

  /** The content of a file that is the user's own and as private as `rules` demand. */
  async read(name: string, rules: ReadRules): Promise<FileContent> {
    const path = this.path(name);
    // Where the host can't refuse to follow a link when it opens, looking first has to do.
    const status = await ifPresent(this.fs.lstat(path));
    if (status === undefined) return { state: "absent" };
    if (!status.isFile()) return refused("is no regular file");
    try {
      const file = await this.fs.open(path, READ_FLAGS);
      try {
        return await this.#content(file, rules);
      } finally {
        await file.close();
      }
    } catch (error) {
      switch (errorCode(error)) {
        case "ENOENT":
          return { state: "absent" };
        case "ELOOP":
          return refused("is a symbolic link");
        case "EACCES":
        case "EPERM":
          return refused("can't be read by its own user");
        default:
          throw error;
      }
    }
  }

  async #content(file: OpenFile, { maxSize, forbiddenMode }: ReadRules): Promise<FileContent> {
    const status = await file.stat();
    if (!status.isFile()) return refused("is no regular file");
    const reason = mistrust(status, this.#options.uid, forbiddenMode);
    if (reason !== undefined) return refused(reason);
    const buffer = new Uint8Array(maxSize + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return { state: "read", bytes: buffer.slice(0, length) };
      length += bytesRead;
    }
    return refused(`is larger than ${maxSize} bytes`);
  }

  /** Writes a file whole, in place of any that was there: a reader sees the old or the new. */
  async replace(name: string, content: Uint8Array): Promise<void> {
    await this.prepare();
    const staging = this.stagingPath();
    let written: number;
    try {
      const file = await this.fs.open(staging, "wx", 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
        written = (await file.stat()).mtimeMs;
      } finally {
        await file.close();
      }
      await this.fs.rename(staging, this.path(name));
    } catch (error) {
      await this.fs.unlink(staging).catch(() => {});
      throw error;
    }
    // The file is there: what fails from here on is no failure to write it.
    await this.#sync().catch(() => {});
    await this.#sweep(written).catch(() => {});
  }

  /** Removes a file and says whether it was there. */
  async remove(name: string): Promise<boolean> {
    try {
      await this.fs.unlink(this.path(name));
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Takes a file out of the way without losing it; where that fails, it stays and is ignored. */
  async setAside(name: string): Promise<void> {
    await this.fs.rename(this.path(name), this.path(name + REJECTED)).catch(() => {});
    const rejected = (await this.names()).filter((other) => other.endsWith(REJECTED));
    if (rejected.length <= MAX_REJECTED) return;
    const dated = await Promise.all(rejected.map(async (other) => {
      const status = await this.fs.lstat(this.path(other)).catch(() => undefined);
      return { path: this.path(other), touched: status?.mtimeMs ?? 0 };
    }));
    dated.sort((a, b) => b.touched - a.touched);
    for (const { path } of dated.slice(MAX_REJECTED)) await this.fs.unlink(path).catch(() => {});
  }

  /**
   * Removes what processes that died left half-written, which may hold a private key. `now` is
   * the file system's own time, which need not be the host's.
   */
  async #sweep(now: number): Promise<void> {
    const names = await this.names();
    for (const name of names.filter((name) => name.startsWith(STAGING))) {
      const path = this.path(name);
      const status = await this.fs.lstat(path).catch(() => undefined);
      if (status === undefined || now - status.mtimeMs < ABANDONED) continue;
      if (!status.isDirectory()) await this.fs.unlink(path).catch(() => {});
      else await removeShallow(this.fs, path);
    }
  }

  /** Makes a rename outlive a power cut where directories can be synced (not on Windows). */
  async #sync(): Promise<void> {
    const directory = await this.fs.open(this.#options.path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function refused(reason: string): FileContent {
  return { state: "refused", reason };
}

/** Why a file isn't to be trusted, as the rest of a sentence; none where it is. */
function mistrust(
  { uid, mode }: FileStatus,
  user: number | undefined,
  forbiddenMode: number,
): string | undefined {
  if (user === undefined) return undefined;
  if (uid !== user) return "belongs to another user";
  if ((mode & forbiddenMode) === 0) return undefined;
  return `is open to others (mode ${(mode & 0o777).toString(8)})`;
}
