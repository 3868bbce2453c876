/**
 * The attestation service: says, in a signed token, that a key is where it claims to be.
 *
 * Unlike the real one it asks for no evidence: whoever holds a public key gets a token for it. What
 * it is good for is the rest of the protocol, which is real: the token expires, names its client
 * and is bound to one key (`cnf.jkt`, RFC 7638 thumbprint), and `issuecredential` checks all that.
 *
 * Request: `POST /attest/keyguard`, JSON `{"spki": "<base64 DER SubjectPublicKeyInfo>",
 * "client_id": "<UUID>"}`; `"jwk": {...}` (public members) in place of `spki` is taken as well.
 * Answer: `{"token": "<JWT>"}`, good for 8 hours.
 *
 * @module
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { Core } from "./core.ts";
import { type Handler, jsonObject, mediaType, methodNotAllowed, oauthError } from "./exchange.ts";

/** Handler of `POST /attest/keyguard`. */
export function attest(core: Core): Handler {
  return async ({ method, headers, body }) => {
    if (method !== "POST") return methodNotAllowed("POST");
    if (mediaType(headers) !== "application/json") {
      return oauthError(400, "invalid_request", "The content type is not application/json.");
    }
    const request = jsonObject(body);
    const key = request === undefined ? undefined : readPublicKey(request);
    if (key === undefined) {
      return oauthError(400, "invalid_request", "Send 'spki' (base64 DER) or 'jwk', a public key.");
    }
    const clientId = request!["client_id"];
    const known = core.surroundings.identities.some((identity) => identity.clientId === clientId);
    if (typeof clientId !== "string" || !known) {
      return oauthError(400, "invalid_request", "'client_id' is no identity of this host.");
    }
    const issuer = core.addresses.attestation;
    return {
      status: 200,
      json: { token: await core.attestor.attest(issuer, key, clientId, core.now()) },
    };
  };
}

function readPublicKey(request: Record<string, unknown>): KeyObject | undefined {
  const { spki, jwk } = request;
  try {
    if (typeof spki === "string") {
      return createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });
    }
    if (typeof jwk !== "object" || jwk === null || "d" in jwk) return undefined;
    return createPublicKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    return undefined;
  }
}
