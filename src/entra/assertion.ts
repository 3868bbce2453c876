/**
 * A client assertion signed with the client's own certificate (RFC 7523 section 3, protocol.md
 * section 8.7).
 *
 * @module
 */

import type { ClientCredential } from "../credential.ts";
import { base64, base64url, utf8 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import { publicKeyAlgorithm } from "../x509/public_key.ts";

/** What an assertion says. */
export interface SelfAssertion {
  /** The client: issuer and subject. */
  readonly clientId: string;
  /** URL of the token endpoint that it is sent to. */
  readonly audience: string;
  /** Certificate and key that sign it. */
  readonly credential: ClientCredential;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** An id (UUID) that no other assertion has: servers take each once. */
  readonly id: string;
  /** Ends the wait for the signature. */
  readonly signal: AbortSignal;
}

/** Life of an assertion in seconds. */
const LIFE = 600;

/**
 * A JWT by PS256 whose header carries the certificates (`x5c`) and `x5t#S256`.
 *
 * Rejects with `certificate_not_rsa` for a key of another kind, and as `SigningKey.sign` does.
 */
export async function signAssertion(assertion: SelfAssertion): Promise<string> {
  const { clientId, audience, credential, now, id, signal } = assertion;
  const { key, chain, thumbprint } = credential;
  if (publicKeyAlgorithm(key.spki).type !== "rsa") {
    throw new KeyboundError(
      "certificate_not_rsa",
      "Assertions are signed with RSA keys only. Ask for a bound token, which takes any key.",
    );
  }
  const seconds = Math.floor(now / 1000);
  const header = { alg: "PS256", typ: "JWT", "x5t#S256": thumbprint, x5c: chain.map(base64) };
  const claims = {
    aud: audience,
    iss: clientId,
    sub: clientId,
    jti: id,
    iat: seconds,
    nbf: seconds,
    exp: seconds + LIFE,
  };
  const part = (value: unknown) => base64url(utf8(JSON.stringify(value)));
  const signed = `${part(header)}.${part(claims)}`;
  const signature = await key.sign("rsa_pss_rsae_sha256", utf8(signed), { signal });
  return `${signed}.${base64url(signature)}`;
}
