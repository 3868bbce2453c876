/**
 * Files that say something about the host.
 *
 * @module
 */

import { constants } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { fromUtf8 } from "../../src/encoding.ts";
import { isPermitted } from "./permissions.ts";

/** Everybody may write. The group may: it is how an agent lets its helpers in. */
const OTHERS_WRITE = 0o002;

/** Reads, follows no symbolic link, doesn't wait for the writer of a pipe. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Whether there is a file at this path; what can't be seen, or may not be, isn't there. */
export async function fileExists(path: string): Promise<boolean> {
  if (!isPermitted({ name: "read", path })) return false;
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Whether there is anything at this path, a device say; what may not be seen isn't there. */
export async function pathExists(path: string): Promise<boolean> {
  if (!isPermitted({ name: "read", path })) return false;
  return await stat(path).then(() => true, () => false);
}

/**
 * The content of a file put there by who owns its folder, or by root. Rejects for anything but a
 * regular file of at most `maxBytes` bytes of UTF-8, for a symbolic link, and where others could
 * have written it.
 */
export async function readSecretFile(
  path: string,
  maxBytes: number,
  ownersCount: boolean,
): Promise<string> {
  if (!isPermitted({ name: "read", path: dirname(path) })) {
    throw new Error("The file's folder may not be read.");
  }
  const seen = await lstat(path);
  if (!seen.isFile()) throw new Error("The file is not a regular one.");
  const file = await open(path, FLAGS);
  try {
    const status = await file.stat();
    if (!status.isFile() || status.ino !== seen.ino || status.dev !== seen.dev) {
      throw new Error("The file was replaced while it was opened.");
    }
    if (ownersCount) {
      const folder = await lstat(dirname(path));
      if (!folder.isDirectory()) throw new Error("The file's folder is a symbolic link.");
      if (((status.mode | folder.mode) & OTHERS_WRITE) !== 0) {
        throw new Error("Everybody may write the file or its folder.");
      }
      if (status.uid !== 0 && status.uid !== folder.uid) {
        throw new Error("The file isn't of its folder's owner.");
      }
    }
    return fromUtf8(await read(file, maxBytes));
  } finally {
    await file.close();
  }
}

/** All of the file. Its size as told beforehand isn't believed. */
async function read(file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(maxBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new Error(`The file is larger than ${maxBytes} bytes.`);
}
