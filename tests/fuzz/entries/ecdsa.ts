/**
 * ECDSA signatures as TLS and X.509 carry them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ecdsaSignatureFromDer, ecdsaSignatureToDer } from "../../../src/x509/ecdsa.ts";
import { readOrRefuse } from "../support/entry.ts";

/** A signature that is taken has the curve's width and one form in DER. */
export function fuzz(data: Uint8Array): void {
  for (const size of [32, 48, 66]) {
    const der = new Uint8Array(data);
    const raw = readOrRefuse(["invalid_der"], () => ecdsaSignatureFromDer(der, size));
    if (raw === undefined) continue;
    assert.equal(raw.length, 2 * size);
    assert.deepEqual(ecdsaSignatureToDer(raw), der);
  }
}
