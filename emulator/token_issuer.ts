/**
 * Signs and checks the access tokens of an emulator.
 *
 * @module
 */

import { generateKeyPair, type KeyObject, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { JSONWebKeySet, JWTPayload } from "jose";
import type { Peers } from "./peers.ts";
import type { Principal } from "./state.ts";

/** What a token says. Times in milliseconds. */
export interface TokenClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly principal: Principal;
  readonly now: number;
  readonly lifetime: number;
  /** `x5t#S256` of the certificate it is bound to (RFC 8705 section 3.1), or none. */
  readonly thumbprint: string | undefined;
  /** Client capabilities (`xms_cc`), where there are some. */
  readonly capabilities: readonly string[];
}

interface SigningKeys {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Issues RS256 tokens with a key of its own. */
export class TokenIssuer {
  readonly #jose: Peers["jose"];
  readonly #keys: Promise<SigningKeys>;

  /** An issuer whose RSA key is made in the background: the first token waits for it. */
  constructor(jose: Peers["jose"]) {
    this.#jose = jose;
    this.#keys = promisify(generateKeyPair)("rsa", { modulusLength: 2048 })
      .then((pair) => ({ kid: randomUUID(), ...pair }));
    this.#keys.catch(() => {}); // whoever awaits it sees the failure
  }

  /** A signed token. */
  async issue(claims: TokenClaims): Promise<string> {
    const { kid, privateKey } = await this.#keys;
    const { principal, thumbprint, capabilities } = claims;
    const iat = Math.floor(claims.now / 1000);
    const payload: JWTPayload = {
      iss: claims.issuer,
      aud: claims.audience,
      sub: principal.objectId,
      oid: principal.objectId,
      tid: principal.tenantId,
      appid: principal.clientId,
      idtyp: "app",
      iat,
      nbf: iat,
      exp: iat + Math.floor(claims.lifetime / 1000),
      jti: randomUUID(),
      ...(thumbprint === undefined ? {} : { cnf: { "x5t#S256": thumbprint } }),
      ...(capabilities.length === 0 ? {} : { xms_cc: [...capabilities] }),
    };
    return await new this.#jose.SignJWT(payload)
      .setProtectedHeader({ alg: "RS256", typ: "JWT", kid })
      .sign(privateKey);
  }

  /** The claims of a token of this issuer in force at `now` (ms); rejects for any other. */
  async verify(token: string, now: number): Promise<JWTPayload> {
    const { publicKey } = await this.#keys;
    const { payload } = await this.#jose.jwtVerify(token, publicKey, {
      algorithms: ["RS256"],
      currentDate: new Date(now),
      requiredClaims: ["iss", "aud", "exp", "nbf"],
    });
    return payload;
  }

  /** The public key, as the discovery endpoint shows it. */
  async jwks(): Promise<JSONWebKeySet> {
    const { kid, publicKey } = await this.#keys;
    return {
      keys: [{ ...await this.#jose.exportJWK(publicKey), kid, alg: "RS256", use: "sig" }],
    };
  }
}
