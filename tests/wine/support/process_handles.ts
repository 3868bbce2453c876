/**
 * How many handles a process has open, as far as Wine tells.
 *
 * @module
 */

import { loadFfi, signature } from "../../../backends/ffi/mod.ts";

/** What counts the handles of any kind that are open in this process below the first free one. */
export async function processHandles(): Promise<() => number> {
  const kernel32 = (await loadFfi()).open("kernel32.dll");
  const create = kernel32
    .function("CreateEventW", signature("address", "address", "i32", "i32", "address"));
  const close = kernel32.function("CloseHandle", signature("i32", "address"));
  return () => {
    // GetProcessHandleCount says 0 under Wine. A new handle is the lowest that is free, and the next
    // one is four more.
    const handle = create(0n, 0, 0, 0n);
    if (handle === 0n || close(handle) === 0) throw new Error("There are no handles to be had.");
    return Number(handle) / 4;
  };
}
