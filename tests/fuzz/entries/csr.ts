/**
 * Certification requests, as the emulator judges them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { judgeCsr } from "../../../emulator/csr_judge.ts";
import { loadPeers } from "../../../emulator/peers.ts";
import { base64 } from "../../../src/encoding.ts";

const { x509 } = await loadPeers();

/** What the request in the corpus is for. */
const EXPECTED = {
  clientId: "d3adb33f-c0de-ed0c-c0de-deadb33fc0d3",
  tenantId: "751a212b-4003-416e-b600-e1f48e40db9f",
  cuId: { vmId: "8fa9f7b6-2b3a-4f0c-9c5e-0d1e2f3a4b5c" },
  acceptEc: true,
};

/** A request is refused in a sentence or good; another key than the one that signed is never good. */
export function fuzz(data: Uint8Array): void {
  const verdict = judgeCsr(x509, base64(data), EXPECTED);
  if ("refusal" in verdict) assert.match(verdict.refusal, /^The CSR was refused: .+\.$/);
  else assert.match(verdict.good.keyThumbprint, /^[\w-]{43}$/);
}

/** What the names and attributes are made of. */
export const tokens: readonly string[] = [
  "\x06\x03U\x04\x03",
  '{"vmId":',
  "0\x0a\x06\x08*\x86H\xce=",
];

/** Signatures are verified. */
export const cost = 4;
