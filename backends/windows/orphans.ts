/**
 * Certificates that have outlived their keys (protocol.md section 2.4).
 *
 * @module
 */

import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { Cng } from "./cng.ts";
import { type Operation, runElsewhere } from "../ffi/operation.ts";
import { classOf } from "./status.ts";
import type { WindowsEntry } from "./store_entry.ts";

/** What was found where a certificate says that its key is. */
export type KeyFinding = "absent" | "dead" | "none_named" | "not_cng" | "unknown" | Bytes;

/**
 * Whether a certificate over `spki` is an orphan. One that names no key is nobody's orphan: who
 * uses it compares it with a key of his own. A key that can't be looked at now proves nothing.
 */
export function isOrphan(finding: KeyFinding, spki: Bytes): boolean {
  return typeof finding === "string"
    ? finding === "absent" || finding === "dead"
    : !equalBytes(finding, spki);
}

/** Those of the entries that are orphans. */
export async function findOrphans(
  entries: readonly WindowsEntry[],
  cng: Cng,
): Promise<ReadonlySet<WindowsEntry>> {
  const orphans = new Set<WindowsEntry>();
  for (const entry of entries) {
    if (isOrphan(await findKey(entry, cng), entry.spki)) orphans.add(entry);
  }
  return orphans;
}

async function findKey({ stored }: WindowsEntry, cng: Cng): Promise<KeyFinding> {
  const { keyContainer } = stored;
  if (keyContainer === undefined) return "none_named";
  if (keyContainer.providerType !== 0) return "not_cng";
  const look = function* (): Operation<Bytes> {
    const key = yield* cng.open(keyContainer);
    try {
      return yield* cng.publicKey(key.handle);
    } finally {
      key.close();
    }
  };
  try {
    return await runElsewhere(look());
  } catch (error) {
    const meaning = classOf(error);
    if (meaning === undefined && !isKeyboundError(error)) throw error;
    return meaning === "absent" || meaning === "dead" ? meaning : "unknown";
  }
}
