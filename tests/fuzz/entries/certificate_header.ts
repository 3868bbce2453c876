/**
 * A client certificate in a proxy's header, and the header that a token comes in.
 *
 * @module
 */

import assert from "node:assert/strict";
import { authorize } from "../../../resource/authorize.ts";
import { certificateFromHeader } from "../../../resource/client_certificate.ts";
import type { BoundTokenVerifier } from "../../../resource/verify.ts";
import { base64 } from "../../../src/encoding.ts";
import { latin1, readOrRefuse } from "../support/entry.ts";

/** What is read is one SEQUENCE; whoever shows no token isn't let in. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const value = latin1(data);
  for (const format of ["nginx", "rfc9440"] as const) {
    const der = readOrRefuse(["invalid_encoding"], () => certificateFromHeader(value, format));
    if (der === undefined) continue;
    assert.equal(der[0], 0x30);
    assert.deepEqual(certificateFromHeader(`:${base64(der)}:`, "rfc9440"), der);
  }
  let presented: string | undefined;
  const verify = ((token: string) => {
    presented = token;
    return Promise.resolve({});
  }) as unknown as BoundTokenVerifier;
  const rules = { verify, schemes: ["mtls_pop"] as const, realm: "r", onRefused: () => {} };
  const certificate = () => new Uint8Array(1);
  const decision = await authorize(rules, { authorization: value, url: `/?${value}`, certificate });
  if ("access" in decision) {
    assert.match(presented ?? "", /^[A-Za-z0-9._~+/-]+=*$/);
    assert.match(value, /^[ \t]*mtls_pop +\S+[ \t]*$/i);
  }
}

/** Parts of both headers. */
export const tokens: readonly string[] = [
  ":MII",
  ":",
  "%0A",
  "-----BEGIN%20CERTIFICATE-----%0A",
  "-----END%20CERTIFICATE-----%0A",
  "mtls_pop ",
  "Bearer ",
  ", ",
  "access_token=",
];
