/**
 * The host's file system with one operation that fails.
 *
 * @module
 */

import { type FileSystem, hostFileSystem } from "../../../backends/files/file_system.ts";

/** An operation on a path, or on a file that is open for writing. */
export type FileOperation = keyof FileSystem | "writeFile" | "sync";

/** A file system whose `operation` always fails with this code. */
export function failingFileSystem(operation: FileOperation, code: string): FileSystem {
  const host = hostFileSystem();
  const fail = () => Promise.reject(Object.assign(new Error(`${code}: no luck`), { code }));
  if (operation !== "writeFile" && operation !== "sync") return { ...host, [operation]: fail };
  return {
    ...host,
    open: async (path, flags, mode) => {
      const file = await host.open(path, flags, mode);
      return {
        stat: () => file.stat(),
        read: (...parameters) => file.read(...parameters),
        writeFile: (content) => operation === "writeFile" ? fail() : file.writeFile(content),
        sync: () => operation === "sync" ? fail() : file.sync(),
        close: () => file.close(),
      };
    },
  };
}
