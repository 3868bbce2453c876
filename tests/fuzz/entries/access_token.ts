/**
 * Access tokens, as far as a client reads them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { base64url, utf8 } from "../../../src/encoding.ts";
import { readBoundToken } from "../../../src/rfc8705/confirmation.ts";
import { checkBoundToken, jwtClaims } from "../../../src/token/access_token.ts";
import { readOrRefuse, textOf } from "../support/entry.ts";

/** Thumbprint and resource of the tokens in the corpus. */
const THUMBPRINT = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
const RESOURCE = "https://vault.example.test";

/** A JWT passes only with the thumbprint in it; whatever else is opaque. */
export function fuzz(data: Uint8Array): void {
  const text = textOf(data);
  for (const token of [text, `e30.${base64url(utf8(text))}.c2ln`]) {
    const claims = jwtClaims(token);
    assert.ok(claims === undefined || (typeof claims === "object" && claims !== null));
    const codes = ["token_not_bound", "token_audience_mismatch"] as const;
    const passed = readOrRefuse(codes, () => {
      checkBoundToken(token, THUMBPRINT, RESOURCE);
      return true;
    });
    const read = readOrRefuse(
      codes,
      () => ({ read: readBoundToken(token, THUMBPRINT, [RESOURCE]) }),
    );
    if (claims !== undefined && (passed !== undefined || read !== undefined)) {
      const { cnf } = claims as { cnf?: Record<string, unknown> };
      assert.equal(cnf?.["x5t#S256"], THUMBPRINT);
    }
    assert.equal(passed === undefined, read === undefined, "two readers that don't agree");
    const expiresOn = read?.read?.expiresOn ?? 1;
    assert.ok(expiresOn > 0 && !Number.isNaN(expiresOn));
  }
}

/** Claims. */
export const tokens: readonly string[] = [
  `"cnf":{"x5t#S256":"${THUMBPRINT}"}`,
  `"aud":"${RESOURCE}"`,
  '"aud":["api://a"]',
  '"exp":1893459600',
  "null",
  "[",
  ".",
  "__proto__",
];

/** Each input is read as a token and as the claims of one. */
export const cost = 2;
