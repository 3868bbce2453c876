/**
 * Attestation tokens of the emulated service: signed with a key of its own, checked by it again.
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import type { Peers } from "./peers.ts";

/** Life of an attestation token in seconds. */
const LIFETIME = 8 * 3600;

/** Signs attestation tokens and checks them again. */
export class Attestor {
  readonly #jose: Peers["jose"];
  readonly #keys: CryptoKeyPair;

  private constructor(jose: Peers["jose"], keys: CryptoKeyPair) {
    this.#jose = jose;
    this.#keys = keys;
  }

  /** An attestor with a new key. */
  static async create(jose: Peers["jose"]): Promise<Attestor> {
    return new Attestor(jose, await jose.generateKeyPair("ES256") as CryptoKeyPair);
  }

  /** A token that vouches for `key`. `now` in ms. */
  async attest(issuer: string, key: KeyObject, clientId: string, now: number): Promise<string> {
    const iat = Math.floor(now / 1000);
    return await new this.#jose.SignJWT({
      iss: issuer,
      iat,
      nbf: iat,
      exp: iat + LIFETIME,
      client_id: clientId,
      cnf: { jkt: await this.#thumbprint(key) },
    }).setProtectedHeader({ alg: "ES256", typ: "JWT" }).sign(this.#keys.privateKey);
  }

  /** Whether `token` vouches for this key and client at `now` (ms). */
  async accepts(token: string, key: KeyObject, clientId: string, now: number): Promise<boolean> {
    try {
      const { payload } = await this.#jose.jwtVerify(token, this.#keys.publicKey, {
        algorithms: ["ES256"],
        currentDate: new Date(now),
        requiredClaims: ["exp", "nbf", "cnf"],
      });
      const { jkt } = payload["cnf"] as { jkt?: unknown };
      return jkt === await this.#thumbprint(key) &&
        payload["client_id"] === clientId;
    } catch {
      return false;
    }
  }

  async #thumbprint(key: KeyObject): Promise<string> {
    return await this.#jose.calculateJwkThumbprint(await this.#jose.exportJWK(key));
  }
}
