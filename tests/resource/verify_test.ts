/**
 * Which tokens pass, over which certificate.
 *
 * @module
 */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  createLocalJWKSet,
  exportJWK,
  type JSONWebKeySet,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import {
  boundTokenVerifier,
  verifyBoundToken,
  type VerifyBoundTokenOptions,
} from "../../resource/mod.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { issueCertificate, type IssuedCertificate } from "../support/certificates.ts";

const ISSUER = "https://as.example.com";
const API = "https://api.example.com";
const NOW = Date.UTC(2030, 0, 1);

let mine: IssuedCertificate;
let thiefs: IssuedCertificate;
let keys: CryptoKeyPair;
let jwks: JSONWebKeySet;

const P256 = { name: "ECDSA", namedCurve: "P-256" };

before(async () => {
  [mine, thiefs] = [await issueCertificate(), await issueCertificate()];
  keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  jwks = { keys: [{ ...await exportJWK(keys.publicKey), kid: "k", alg: "ES256", use: "sig" }] };
});

function options(more: Partial<VerifyBoundTokenOptions> = {}): VerifyBoundTokenOptions {
  return { jwks, issuer: ISSUER, audience: API, now: () => NOW, ...more };
}

interface Made {
  claims?: JWTPayload;
  header?: { alg?: string; kid?: string; typ?: string };
  key?: CryptoKey | Uint8Array;
}

async function token({ claims = {}, header = {}, key = keys.privateKey }: Made = {}) {
  const payload = {
    iss: ISSUER,
    aud: API,
    sub: "client",
    exp: NOW / 1000 + 600,
    cnf: { "x5t#S256": mine.thumbprint },
    ...claims,
  };
  return await new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "k", ...header })
    .sign(key);
}

describe("a bound token", () => {
  it("passes over the connection it is bound to", async () => {
    const claims = await verifyBoundToken(await token(), mine.der, options());
    assert.equal(claims.sub, "client");
    assert.equal(claims.cnf["x5t#S256"], mine.thumbprint);
  });

  it("passes over no other, and not without a certificate", async () => {
    const stolen = await token();
    for (const certificate of [thiefs.der, undefined, new Uint8Array()]) {
      await assert.rejects(verifyBoundToken(stolen, certificate, options()), {
        code: "token_not_bound",
      });
    }
  });

  const bindings: [string, unknown][] = [
    ["nothing", undefined],
    ["an empty cnf", {}],
    ["a cnf of null", null],
    ["a DPoP key", { jkt: "x" }],
    ["an empty thumbprint", { "x5t#S256": "" }],
    ["a thumbprint that is an array", { "x5t#S256": ["x"] }],
  ];
  for (const [name, cnf] of bindings) {
    it(`that is bound to ${name} doesn't pass`, async () => {
      const made = await token({ claims: { cnf } as JWTPayload });
      await assert.rejects(verifyBoundToken(made, mine.der, options()), {
        code: "token_not_bound",
      });
    });
  }

  const claims: [string, JWTPayload, string][] = [
    ["has expired", { exp: NOW / 1000 - 31 }, "invalid_token"],
    ["never expires", { exp: undefined } as JWTPayload, "invalid_token"],
    ["is from the future", { nbf: NOW / 1000 + 31 }, "invalid_token"],
    ["is another issuer's", { iss: "https://evil.example" }, "invalid_token"],
    ["has no issuer", { iss: undefined } as JWTPayload, "invalid_token"],
    ["is for another audience", { aud: "https://other.example" }, "token_audience_mismatch"],
    ["is for nobody", { aud: undefined } as JWTPayload, "token_audience_mismatch"],
  ];
  for (const [name, changed, code] of claims) {
    it(`that ${name} doesn't pass`, async () => {
      const made = await token({ claims: changed });
      await assert.rejects(verifyBoundToken(made, mine.der, options()), { code });
    });
  }

  it("passes while clocks differ by no more than is allowed", async () => {
    for (const times of [{ exp: NOW / 1000 - 29 }, { nbf: NOW / 1000 + 30 }]) {
      const made = await token({ claims: times });
      await verifyBoundToken(made, mine.der, options());
      await assert.rejects(verifyBoundToken(made, mine.der, options({ clockTolerance: 0 })), {
        code: "invalid_token",
      });
    }
  });

  it("must be of the type that is asked for", async () => {
    const wanted = options({ type: "at+jwt" });
    const typed = await token({ header: { typ: "at+jwt" } });
    await verifyBoundToken(typed, mine.der, wanted);
    await assert.rejects(verifyBoundToken(await token(), mine.der, wanted), {
      code: "invalid_token",
    });
  });
});

describe("a signature", () => {
  it("that isn't there, isn't right, or is of another key is refused", async () => {
    const claims = { iss: ISSUER, aud: API, cnf: { "x5t#S256": mine.thumbprint } };
    const unsigned = new UnsecuredJWT(claims).setExpirationTime(NOW / 1000 + 600).encode();
    const good = await token();
    const strange = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const bad = [
      unsigned,
      `${good.slice(0, -4)}AAAA`,
      good.slice(0, good.lastIndexOf(".") + 1),
      await token({ key: strange.privateKey }),
      await token({ header: { kid: "unknown" } }),
      "a.b.c",
      "",
      "opaque",
      `${good}.`,
      "a".repeat(16_385),
    ];
    for (const made of bad) {
      await assert.rejects(verifyBoundToken(made, mine.der, options()), { code: "invalid_token" });
    }
  });

  it("by a shared secret is refused, also where the secret is the public key", async () => {
    const secret = new TextEncoder().encode(JSON.stringify(jwks.keys[0]));
    const made = await token({ header: { alg: "HS256" }, key: secret });
    await assert.rejects(verifyBoundToken(made, mine.der, options()), { code: "invalid_token" });
  });

  it("of an algorithm that isn't allowed is refused", async () => {
    const strict = options({ algorithms: ["PS256"] });
    await assert.rejects(verifyBoundToken(await token(), mine.der, strict), {
      code: "invalid_token",
    });
  });

  it("is tried with each key that may be meant, where the token doesn't say", async () => {
    const other = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const bare = async (key: CryptoKey) => ({ ...await exportJWK(key), alg: "ES256" });
    const two = { keys: [await bare(other.publicKey), await bare(keys.publicKey)] };
    const unnamed = await new SignJWT({
      iss: ISSUER,
      aud: API,
      exp: NOW / 1000 + 600,
      cnf: { "x5t#S256": mine.thumbprint },
    }).setProtectedHeader({ alg: "ES256" }).sign(keys.privateKey);
    await verifyBoundToken(unnamed, mine.der, options({ jwks: two }));
    const neither = { keys: [two.keys[0]!, await bare(other.publicKey)] };
    await assert.rejects(verifyBoundToken(unnamed, mine.der, options({ jwks: neither })), {
      code: "invalid_token",
    });
  });
});

describe("the keys", () => {
  const url = new URL("https://as.example.com/jwks");

  it("of an address are fetched once for all tokens of one verifier", async () => {
    let fetched = 0;
    const fetch = (input: unknown) => {
      fetched++;
      assert.equal(String(input), url.href);
      return Promise.resolve(Response.json(jwks));
    };
    const wanted = options({ jwks: url, fetch: fetch as typeof globalThis.fetch });
    const verify = boundTokenVerifier(wanted);
    for (let i = 0; i < 3; i++) await verify(await token(), mine.der);
    assert.equal(fetched, 1);
    await verifyBoundToken(await token(), mine.der, wanted);
    assert.equal(fetched, 2, "a single verification keeps nothing");
  });

  const answers: [string, () => Response | Promise<Response>][] = [
    ["are out of reach", () => Promise.reject(new TypeError("fetch failed"))],
    ["are answered with 500", () => new Response(null, { status: 500 })],
    ["are no keys", () => new Response("<html>")],
    ["are 5 MB", () => new Response(" ".repeat(5_000_000))],
    ["are somewhere else", () => new Response(null, { status: 302, headers: { location: "/" } })],
  ];
  for (const [name, answer] of answers) {
    it(`that ${name} are no fault of the token's`, async () => {
      const fetch = () => Promise.resolve(answer());
      const failing = verifyBoundToken(await token(), mine.der, options({ jwks: url, fetch }));
      await assert.rejects(failing, { code: "jwks_unavailable", retryable: true });
    });
  }

  it("may come from a resolver", async () => {
    const resolver = () => Promise.resolve(keys.publicKey);
    for (const source of [resolver, createLocalJWKSet(jwks)]) {
      await verifyBoundToken(await token(), mine.der, options({ jwks: source }));
    }
  });
});

describe("options that would let in what they shouldn't", () => {
  const rows: [string, Partial<VerifyBoundTokenOptions>][] = [
    ["none", { algorithms: ["none"] }],
    ["HMAC", { algorithms: ["ES256", "HS256"] }],
    ["no algorithm", { algorithms: [] }],
    ["no issuer", { issuer: undefined as unknown as string }],
    ["an empty issuer", { issuer: [] }],
    ["no audience", { audience: "" }],
    ["keys by http", { jwks: new URL("http://as.example.com/jwks") }],
    ["a tolerance of hours", { clockTolerance: 3_600_000 }],
  ];
  for (const [name, more] of rows) {
    it(`are refused: ${name}`, async () => {
      const failing = verifyBoundToken(await token(), mine.der, options(more));
      await assert.rejects(failing, { code: "invalid_argument" });
    });
  }
});

describe("an error", () => {
  it("holds nothing of the token", async () => {
    const made = await token({ claims: { sub: "a-secret-subject", iss: "https://evil.example" } });
    await assert.rejects(verifyBoundToken(made, mine.der, options()), (error: unknown) => {
      assert.ok(isKeyboundError(error));
      assert.equal(error.cause, undefined);
      assert.doesNotMatch(`${error.stack}`, /a-secret-subject|evil/);
      return true;
    });
  });
});
