/**
 * What a PKCS#11 module writes: structs, and the public keys of its objects.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ecSpki, P256_PARAMETERS, rsaSpki } from "../../../backends/pkcs11/public_key.ts";
import { structsOf } from "../../../backends/pkcs11/structs.ts";
import { publicKeyAlgorithm } from "../../../src/x509/public_key.ts";
import { readOrRefuse } from "../support/entry.ts";

const UNIX = structsOf({ pointer: 8, long: 8 }, false);
const WINDOWS = structsOf({ pointer: 8, long: 4 }, true);

/** Structs are read for any bytes; a key that is taken is one. */
export function fuzz(data: Uint8Array): void {
  for (const structs of [UNIX, WINDOWS]) {
    const bytes = new Uint8Array(Math.max(structs.tokenInfoSize, structs.sessionInfoSize));
    bytes.set(data.subarray(0, bytes.length));
    const { label, serial, sessions } = structs.tokenInfo(bytes);
    for (const text of [label, serial]) assert.doesNotMatch(text, /[ \0]$/);
    assert.ok(sessions === undefined || sessions >= 0);
    assert.ok(structs.sessionState(bytes) >= 0);
    assert.ok((structs.queriedLength(bytes) ?? 0) >= 0);
    assert.ok(structs.readUlong(bytes) >= 0n);
  }
  const half = data.length >> 1;
  const [first, second] = [data.slice(0, half), data.slice(half)];
  const spkis = [
    readOrRefuse(["invalid_der", "unsupported_key"], () => ecSpki(P256_PARAMETERS, data.slice())),
    readOrRefuse(["invalid_der", "unsupported_key"], () => ecSpki(first, second)),
    rsaSpki(first, second),
  ];
  for (const spki of spkis) {
    if (spki === undefined) continue;
    readOrRefuse(["invalid_der", "unsupported_key"], () => publicKeyAlgorithm(spki));
  }
}
