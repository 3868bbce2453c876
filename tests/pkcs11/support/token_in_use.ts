/**
 * A token of SoftHSM in daily life: who uses it, and what the tests ask of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach } from "node:test";
import { inspect, promisify } from "node:util";
import {
  type Pkcs11KeyProvider,
  pkcs11Keys,
  type Pkcs11Options,
} from "../../../backends/pkcs11/mod.ts";
import { type Bytes, utf8 } from "../../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../../src/errors.ts";
import type { SigningKey } from "../../../src/keys.ts";
import { verifySignature } from "../../../src/x509/verify.ts";
import type { Token } from "../../../scripts/lib/tokens.mjs";
import { emptyToken, optionsOf } from "./tokens.ts";

/** Runs a program. */
export const run: (file: string, args: readonly string[]) => Promise<{ stdout: string }> =
  promisify(
    execFile,
  );

/** The algorithm of most keys here, and its scheme: the fastest to make. */
export const P256 = { algorithm: "P-256" } as const;
export const ECDSA = "ecdsa_secp256r1_sha256";
/** What is signed. */
export const DATA: Bytes = utf8("to be signed");

/** What a test may want closed when it is over. */
export interface Closable {
  close(): Promise<void>;
}

/** A token, and who uses it. */
export interface TokenInUse {
  readonly options: Pkcs11Options & { uri: string };
  /** Closed after each test. */
  readonly opened: Closable[];
  /** A new provider, closed after the test. */
  provider(more?: Partial<Pkcs11Options>): Pkcs11KeyProvider;
  /** Runs `pkcs11-tool`, logged in. */
  tool(...args: string[]): Promise<{ stdout: string }>;
}

/** The token for the tests of a suite: emptied after each, thrown away after all. */
export function useToken(token: Token): TokenInUse {
  const options = optionsOf(token);
  const opened: Closable[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await emptyToken(options);
  });
  after(() => token.destroy());
  return {
    options,
    opened,
    provider(more = {}) {
      const keys = pkcs11Keys({ ...options, ...more });
      opened.push(keys);
      return keys;
    },
    tool: (...args) =>
      run("pkcs11-tool", [
        ...["--module", token.library, "--token-label", token.label],
        ...["--login", "--pin", token.pin, ...args],
      ]),
  };
}

/** Whether a signature of this P-256 key verifies. */
export async function signs(key: SigningKey): Promise<boolean> {
  return await verifySignature(ECDSA, key.spki, DATA, await key.sign(ECDSA, DATA));
}

/** Whether it fails with this code, for this reason. */
export async function assertRejects(
  promise: Promise<unknown>,
  code: ErrorCode,
  reason: string = "",
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isKeyboundError(error, code), inspect(error));
    assert.ok(error.message.includes(reason), error.message);
    return true;
  });
}
