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
  type JWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import {
  boundTokenVerifier,
  verifyBoundToken,
  type VerifyBoundTokenOptions,
} from "../../resource/mod.ts";
import { base64url, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { issueCertificate, type IssuedCertificate } from "../support/certificates.ts";

const ISSUER = "https://as.example.com";
const API = "https://api.example.com";
const NOW = Date.UTC(2030, 0, 1);

let mine: IssuedCertificate;
let thiefs: IssuedCertificate;
let keys: CryptoKeyPair;
let strangeKeys: CryptoKeyPair;
let jwks: JSONWebKeySet;

const P256 = { name: "ECDSA", namedCurve: "P-256" };

before(async () => {
  [mine, thiefs] = [await issueCertificate(), await issueCertificate()];
  keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  strangeKeys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
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

  const bindings: [string, (thumbprint: string) => unknown][] = [
    ["nothing", () => undefined],
    ["an empty cnf", () => ({})],
    ["a cnf of null", () => null],
    ["a cnf that is the thumbprint", (thumbprint) => thumbprint],
    ["a cnf that is a list", (thumbprint) => [{ "x5t#S256": thumbprint }]],
    ["a cnf in a cnf", (thumbprint) => ({ cnf: { "x5t#S256": thumbprint } })],
    ["a DPoP key", (thumbprint) => ({ jkt: thumbprint })],
    ["a thumbprint of another kind", (thumbprint) => ({ x5t: thumbprint })],
    ["an empty thumbprint", () => ({ "x5t#S256": "" })],
    ["a thumbprint in a list", (thumbprint) => ({ "x5t#S256": [thumbprint] })],
    ["a thumbprint with padding", (thumbprint) => ({ "x5t#S256": `${thumbprint}=` })],
    ["a thumbprint cut short", (thumbprint) => ({ "x5t#S256": thumbprint.slice(0, -1) })],
  ];
  for (const [name, cnf] of bindings) {
    it(`that is bound to ${name} doesn't pass`, async () => {
      const made = await token({ claims: { cnf: cnf(mine.thumbprint) } as JWTPayload });
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
    ["is for several others", { aud: ["https://a.example", `${API}/`] }, "token_audience_mismatch"],
    ["is for an empty list", { aud: [] }, "token_audience_mismatch"],
    ["expired before the epoch", { exp: -1 }, "invalid_token"],
    ["expires at a text", { exp: "9999999999" } as unknown as JWTPayload, "invalid_token"],
    ["begins at a text", { nbf: "0" } as unknown as JWTPayload, "invalid_token"],
    ["begins at the end of time", { nbf: Number.MAX_SAFE_INTEGER }, "invalid_token"],
    ["has issuers for an issuer", { iss: [ISSUER] } as unknown as JWTPayload, "invalid_token"],
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

/** A token whose header nobody checked; signed by a stranger if no key is given. */
async function handMade(
  header: Record<string, unknown>,
  key: CryptoKey = strangeKeys.privateKey,
  claims: string = JSON.stringify({
    iss: ISSUER,
    aud: API,
    exp: NOW / 1000 + 600,
    cnf: { "x5t#S256": mine.thumbprint },
  }),
): Promise<string> {
  const merged = JSON.stringify({ alg: "ES256", kid: "k", ...header });
  const signed = `${base64url(utf8(merged))}.${base64url(utf8(claims))}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, key, utf8(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

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

  const tricks: [string, (good: CryptoKey, own: JWK) => Promise<string> | string][] = [
    ["names an extension as critical", (key) => handMade({ crit: ["x"], x: 1 }, key)],
    ["says that its payload isn't encoded", (key) => handMade({ crit: ["b64"], b64: false }, key)],
    ["is without 'alg'", (key) => handMade({ alg: undefined }, key)],
    ["has 'none' in another case", (key) => handMade({ alg: "nOnE" }, key)],
    ["brings its own key", (_key, jwk) => handMade({ jwk })],
    ["says where its key is", () => handMade({ jku: "https://evil.example/jwks" })],
    ["says where its certificate is", () => handMade({ x5u: "https://evil.example/x" })],
    ["brings its own certificate", () => handMade({ x5c: [btoa(mine.pem)] })],
    ["is encrypted", () => "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA"],
    ["has claims that are an array", (key) => handMade({}, key, "[]")],
    ["has claims that are no JSON", (key) => handMade({}, key, "{")],
  ];
  for (const [name, make] of tricks) {
    it(`of a token that ${name} is refused, and nothing is fetched`, async () => {
      const refused = verifyBoundToken(
        await make(keys.privateKey, await exportJWK(strangeKeys.publicKey)),
        mine.der,
        options({ fetch: () => Promise.reject(new Error("Nothing is to be fetched.")) }),
      );
      await assert.rejects(refused, { code: "invalid_token" });
    });
  }

  it("made by hand is taken where nothing is wrong with it", async () => {
    await verifyBoundToken(await handMade({}, keys.privateKey), mine.der, options());
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

  it("are fetched once in 30 s, however many unknown keys are named and whatever is answered", async (t) => {
    const systemTime = Date.now;
    t.after(() => void (Date.now = systemTime));
    let time = NOW;
    Date.now = () => time;
    let isDown = false;
    let fetched = 0;
    const fetch = () => {
      fetched++;
      return Promise.resolve(isDown ? new Response("<html>") : Response.json(jwks));
    };
    const verify = boundTokenVerifier(options({ jwks: url, fetch, now: () => time }));
    const good = await token();
    const strange = await Promise.all(
      Array.from({ length: 10 }, (_, i) => token({ header: { kid: `random-${i}` } })),
    );
    const askAll = async () => {
      fetched = 0;
      for (const made of strange) {
        await assert.rejects(verify(made, mine.der), {
          code: isDown ? "jwks_unavailable" : "invalid_token",
        });
        await verify(good, mine.der);
      }
      return fetched;
    };
    assert.equal(await askAll(), 1);
    time += 29_000;
    assert.equal(await askAll(), 0);
    time += 2_000;
    isDown = true;
    assert.equal(await askAll(), 1);
    time += 29_000;
    assert.equal(await askAll(), 0);
    time += 2_000;
    isDown = false;
    assert.equal(await askAll(), 1);
  });

  it("that can't be had are asked for again after 5 s, not for each token", async () => {
    let time = NOW;
    let fetched = 0;
    let isDown = true;
    const fetch = () => {
      fetched++;
      return Promise.resolve(isDown ? new Response(null, { status: 500 }) : Response.json(jwks));
    };
    const verify = boundTokenVerifier(options({ jwks: url, fetch, now: () => time }));
    const good = await token();
    for (let i = 0; i < 10; i++) {
      await assert.rejects(verify(good, mine.der), { code: "jwks_unavailable", retryable: true });
    }
    assert.equal(fetched, 1);
    isDown = false;
    time += 5_000;
    await verify(good, mine.der);
    assert.equal(fetched, 2);
  });

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
