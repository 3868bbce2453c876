/**
 * Whether an access token is valid here and bound to the certificate of the connection it came
 * over (RFC 8705 section 3).
 *
 * @module
 */

import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import { equalBytes, utf8 } from "../src/encoding.ts";
import { type ErrorCode, KeyboundError } from "../src/errors.ts";
import { thumbprintS256 } from "../src/x509/thumbprint.ts";
import { loadJose } from "./jose.ts";
import { keyResolver, type KeySource } from "./key_set.ts";

/** What tokens must be. */
export interface VerifyBoundTokenOptions {
  /**
   * The authorization server's keys: the address of its JWKS (https), a JWKS, or a key resolver of
   * jose's.
   */
  jwks: KeySource;
  /** Who may have issued the token (`iss`, exactly). */
  issuer: string | readonly string[];
  /** What this resource server is called in tokens (`aud` must hold one of them). */
  audience: string | readonly string[];
  /**
   * Signature algorithms (RFC 7518), asymmetric ones only.
   * @default ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
   */
  algorithms?: readonly string[];
  /** How far clocks may differ, in milliseconds. @default 30000 */
  clockTolerance?: number;
  /** What `typ` in the token's header must be: `at+jwt` (RFC 9068), say. @default anything */
  type?: string;
  /** Fetches the JWKS. @default globalThis.fetch */
  fetch?: typeof globalThis.fetch;
  /** Time, in milliseconds since the Unix epoch. @default Date.now */
  now?: () => number;
}

/** The claims of a token that was verified. */
export interface BoundClaims {
  /** Who issued it. */
  readonly iss: string;
  /** For whom. */
  readonly aud: string | readonly string[];
  /** End of its life, in seconds since the Unix epoch. */
  readonly exp: number;
  /** Whose it is, where it says. */
  readonly sub?: string;
  /** The certificate that it is bound to, by its thumbprint. */
  readonly cnf: { readonly "x5t#S256": string };
  /** All the others, of any shape. */
  readonly [name: string]: unknown;
}

/** Longest token that is looked at, in characters. */
export const MAX_TOKEN = 16_384;

const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** Codes of jose's errors that are about the token; what else goes wrong is about the keys. */
const TOKEN_FAULTS: ReadonlySet<unknown> = new Set([
  "ERR_JOSE_ALG_NOT_ALLOWED",
  "ERR_JOSE_NOT_SUPPORTED",
  "ERR_JWKS_NO_MATCHING_KEY",
  "ERR_JWS_INVALID",
  "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
  "ERR_JWT_CLAIM_VALIDATION_FAILED",
  "ERR_JWT_EXPIRED",
  "ERR_JWT_INVALID",
]);

/** Verifies one token that came over a connection with this client certificate (DER). */
export type BoundTokenVerifier = (
  token: string,
  certificate: Uint8Array | undefined,
) => Promise<BoundClaims>;

/**
 * The claims of a token that came over a connection with this client certificate (DER). Verified
 * are signature, times, issuer and audience, and that `cnf["x5t#S256"]` is the certificate's
 * thumbprint. That whoever sent it has the certificate's key, the TLS handshake has proved; which
 * authority issued the certificate doesn't matter.
 *
 * Nothing is kept between calls: where `jwks` is an address, use {@linkcode boundTokenVerifier} or a
 * guard, which fetch it once and not for every token.
 *
 * Rejects with `invalid_token`, `token_audience_mismatch`, `token_not_bound` (also where there is no
 * certificate), `jwks_unavailable` where the keys can't be had just now, `missing_dependency`
 * without jose, `invalid_argument` for options that can't be right.
 *
 * @example
 * ```ts
 * const options = {
 *   jwks: { keys: [publicJwk] },
 *   issuer: "https://as.example.com",
 *   audience: "https://api.example.com",
 * };
 * const claims = await verifyBoundToken(token, certificateOfSocket(request.socket), options);
 * ```
 */
export async function verifyBoundToken(
  token: string,
  certificate: Uint8Array | undefined,
  options: VerifyBoundTokenOptions,
): Promise<BoundClaims> {
  return await boundTokenVerifier(options)(token, certificate);
}

/**
 * Verifies as {@linkcode verifyBoundToken} does, and keeps the keys it fetched: for 10 minutes, and
 * asks again for an unknown key id, at most every 30 s; keys that couldn't be had, after 5 s. Make one
 * for all requests.
 *
 * Throws `invalid_argument` for options that can't be right.
 */
export function boundTokenVerifier(options: VerifyBoundTokenOptions): BoundTokenVerifier {
  const { algorithms = ALGORITHMS, clockTolerance = 30_000, type, now = Date.now } = options;
  const issuer = names("issuer", options.issuer);
  const audience = names("audience", options.audience);
  if (algorithms.length === 0 || !algorithms.every((name) => ALGORITHMS.includes(name))) {
    throw misused(`'algorithms' must be some of ${ALGORITHMS.join(", ")}.`);
  }
  if (!(clockTolerance >= 0 && clockTolerance <= 600_000)) {
    throw misused("'clockTolerance' must be from 0 to 600000 ms.");
  }
  const { fetch = (...args) => globalThis.fetch(...args) } = options;
  const keys = keyResolver(options.jwks, { fetch, now });
  return async (token, certificate) => {
    if (typeof token !== "string" || token.length > MAX_TOKEN || !/^[\w.-]+$/.test(token)) {
      throw new KeyboundError("invalid_token", "The token isn't a JWT.");
    }
    if (certificate === undefined) {
      throw new KeyboundError("token_not_bound", "No client certificate was presented.");
    }
    const claims = await verifiedClaims(token, await keys(), {
      issuer,
      audience,
      algorithms: [...algorithms],
      clockTolerance: clockTolerance / 1000,
      requiredClaims: ["exp"],
      currentDate: new Date(now()),
      ...(type === undefined ? {} : { typ: type }),
    });
    const bound = (claims.cnf as { "x5t#S256"?: unknown } | null | undefined)?.["x5t#S256"];
    const thumbprint = await thumbprintS256(new Uint8Array(certificate));
    if (typeof bound !== "string" || !equalBytes(utf8(bound), utf8(thumbprint))) {
      throw new KeyboundError(
        "token_not_bound",
        "The token isn't bound to the client certificate presented.",
      );
    }
    return claims as JWTPayload & BoundClaims;
  };
}

async function verifiedClaims(
  token: string,
  keys: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  const { errors, jwtVerify } = await loadJose();
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw verificationError(error);
    // The token doesn't say which key, and several would do.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (failed) {
        if (!(failed instanceof errors.JWSSignatureVerificationFailed)) {
          throw verificationError(failed);
        }
      }
    }
    throw verificationError(new errors.JWSSignatureVerificationFailed());
  }
}

function verificationError(cause: unknown): KeyboundError {
  const { code, claim } = cause as { code?: unknown; claim?: unknown };
  if (!TOKEN_FAULTS.has(code)) {
    return new KeyboundError(
      "jwks_unavailable",
      "The authorization server's keys can't be had just now. Check 'jwks' and whether it is reachable.",
      { cause, retryable: true },
    );
  }
  const [ours, what]: [ErrorCode, string] = claim === "aud"
    ? ["token_audience_mismatch", "The token is for another audience."]
    : code === "ERR_JWT_EXPIRED"
    ? ["invalid_token", "The token has expired."]
    : ["invalid_token", "The token isn't valid here."];
  // Without its cause: jose's errors hold the token's claims.
  return new KeyboundError(ours, what);
}

function names(option: string, given: string | readonly string[]): string[] {
  const list = [given].flat();
  if (list.length > 0 && list.every((name) => typeof name === "string" && name !== "")) return list;
  throw misused(`'${option}' must be given: without it, tokens meant for others would pass.`);
}

function misused(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
