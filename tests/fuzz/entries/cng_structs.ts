/**
 * What Windows writes: where a certificate's key is, and public keys as CNG exports them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeKeyProvInfo, encodeKeyProvInfo } from "../../../backends/windows/key_prov_info.ts";
import { spkiOfBlob } from "../../../backends/windows/public_key.ts";
import { publicKeyAlgorithm } from "../../../src/x509/public_key.ts";
import { readOrRefuse } from "../support/entry.ts";

/** Where the bytes of the corpus say that they lie. */
const ADDRESS = 0x10_0000n;

const PLATFORMS = [{ pointer: 8, long: 4 }, { pointer: 4, long: 4 }] as const;

/** What is read lies inside the bytes; it says the same once it is written anew. */
export function fuzz(data: Uint8Array): void {
  for (const platform of PLATFORMS) {
    const container = decodeKeyProvInfo(new Uint8Array(data), platform, ADDRESS);
    if (container === undefined) continue;
    const written = encodeKeyProvInfo(container, platform, () => ADDRESS);
    assert.deepEqual(decodeKeyProvInfo(written, platform, ADDRESS), container);
    assert.doesNotMatch(container.container + container.provider, /\0/);
  }
  const spki = readOrRefuse(["unsupported_key"], () => spkiOfBlob(new Uint8Array(data)));
  if (spki !== undefined) publicKeyAlgorithm(spki);
}

/** Magic numbers and an address within. */
export const tokens: readonly string[] = ["RSA1", "ECS1", "ECS3", "ECS5", " \0\x10\0\0\0\0\0"];
