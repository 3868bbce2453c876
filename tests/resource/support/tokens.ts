/**
 * An issuer of bound tokens, in memory.
 *
 * @module
 */

import { exportJWK, type JSONWebKeySet, type JWTPayload, SignJWT } from "jose";

export const ISSUER = "https://as.example.com";
export const API = "https://api.example.com";

/** Issues tokens that are valid for ten minutes. */
export interface TokenIssuer {
  readonly jwks: JSONWebKeySet;
  /** A token bound to this certificate (`x5t#S256`). */
  token(thumbprint: string, claims?: JWTPayload): Promise<string>;
}

/** A new issuer with a P-256 key. */
export async function tokenIssuer(): Promise<TokenIssuer> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return {
    jwks: { keys: [{ ...await exportJWK(keys.publicKey), kid: "k", alg: "ES256" }] },
    token: (thumbprint, claims = {}) =>
      new SignJWT({ sub: "client", cnf: { "x5t#S256": thumbprint }, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "k" })
        .setIssuer(ISSUER).setAudience(API).setExpirationTime("10 minutes")
        .sign(keys.privateKey),
  };
}
