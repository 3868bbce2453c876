/**
 * Encodings, claims, identities, scrubbed words: small pure things.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  base64,
  base64url,
  concat,
  equalBytes,
  fromBase64,
  fromBase64url,
  fromUtf8,
  hex,
  utf8,
} from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { emitter, type KeyboundEvent, maskAlias } from "../../src/events.ts";
import { certificateAlias, resolveIdentity } from "../../src/identity.ts";
import { describeErrorBody, scrub } from "../../src/scrub.ts";
import { claimsChallenge } from "../../src/token/challenge.ts";
import { mergeClaims } from "../../src/token/claims.ts";

describe("encodings", () => {
  it("agree with the platform's own, both ways", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      const bytes = Uint8Array.from(array);
      const buffer = Buffer.from(bytes);
      assert.equal(hex(bytes), buffer.toString("hex"));
      assert.equal(base64(bytes), buffer.toString("base64"));
      assert.equal(base64url(bytes), buffer.toString("base64url"));
      assert.deepEqual(fromBase64(base64(bytes)), bytes);
      assert.deepEqual(fromBase64url(base64url(bytes)), bytes);
    }));
  });

  it("take large input", () => {
    const bytes = new Uint8Array(300_000).fill(7);
    assert.deepEqual(fromBase64(base64(bytes)), bytes);
  });

  it("refuse what isn't theirs", () => {
    for (const text of ["A", "AA", "AA=", "A=AA", "====", "AA==AA==", "AA-_", "AA A", "é==="]) {
      assert.throws(() => fromBase64(text), { code: "invalid_encoding" }, text);
    }
    for (const text of ["A", "AA==", "AA+/", "AA.A", "AAAAA"]) {
      assert.throws(() => fromBase64url(text), { code: "invalid_encoding" }, text);
    }
    assert.throws(() => fromUtf8(new Uint8Array([0xff])), { code: "invalid_encoding" });
    assert.throws(() => fromUtf8(new Uint8Array([0xed, 0xa0, 0x80])), { code: "invalid_encoding" });
  });

  it("compare and join", () => {
    assert.equal(equalBytes(utf8("abc"), utf8("abc")), true);
    assert.equal(equalBytes(utf8("abc"), utf8("abd")), false);
    assert.equal(equalBytes(utf8("abc"), utf8("ab")), false);
    assert.equal(fromUtf8(concat(utf8("a"), utf8(""), utf8("bc"))), "abc");
  });
});

describe("claims", () => {
  const rows: [string[], (string | undefined)[], unknown][] = [
    [[], [undefined], undefined],
    [["cp1"], [undefined], { access_token: { xms_cc: { values: ["cp1"] } } }],
    [[], ['{"a":1}'], { a: 1 }],
    [["cp1"], ['{"access_token":{"nbf":1}}'], {
      access_token: { xms_cc: { values: ["cp1"] }, nbf: 1 },
    }],
    [["cp1"], ['{"access_token":{"xms_cc":{"values":["cp2"]}}}'], {
      access_token: { xms_cc: { values: ["cp1", "cp2"] } },
    }],
    [[], ['{"a":1,"b":{"c":[1]}}', '{"a":2,"b":{"c":[2],"d":null}}'], {
      a: 2,
      b: { c: [1, 2], d: null },
    }],
    [[], ['{"a":{"b":1}}', '{"a":"text"}'], { a: "text" }],
  ];
  for (const [capabilities, claims, expected] of rows) {
    it(`${JSON.stringify([capabilities, ...claims])} merge`, () => {
      const merged = mergeClaims(capabilities, ...claims);
      assert.deepEqual(merged === undefined ? undefined : JSON.parse(merged), expected);
    });
  }

  it("that name __proto__ change nothing but themselves", () => {
    const merged = mergeClaims([], '{"__proto__":{"x":1}}', '{"__proto__":{"y":2}}')!;
    assert.equal(merged, '{"__proto__":{"x":1,"y":2}}');
    assert.equal(({} as { x?: number }).x, undefined);
  });

  it("that aren't a JSON object are refused", () => {
    for (const text of ["", "{", "[]", "1", "null", '"a"', `{"a":"${"x".repeat(40_000)}"}`]) {
      assert.throws(() => mergeClaims([], text), { code: "invalid_json_claims_format" });
    }
  });

  it("of whatever shape merge into what holds every leaf of the second", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const object = fc.dictionary(fc.string(), json);
    fc.assert(fc.property(object, object, (a, b) => {
      const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
      const merged = JSON.parse(mergeClaims([], first, second)!);
      assert.deepEqual(
        new Set(Object.keys(merged)),
        new Set([...Object.keys(JSON.parse(first)), ...Object.keys(JSON.parse(second))]),
      );
      assert.equal(
        JSON.stringify(JSON.parse(mergeClaims([], first)!)),
        JSON.stringify(JSON.parse(first)),
      );
    }));
  });
});

describe("a claims challenge", () => {
  const claims = '{"access_token":{"a":"ÿ?>"}}';
  const encoded = Buffer.from(claims).toString("base64");
  const encodedUrl = Buffer.from(claims).toString("base64url");
  const rows: [string | null, string | undefined][] = [
    [null, undefined],
    [`Bearer realm="", error="insufficient_claims", claims="${encoded}"`, claims],
    [`mtls_pop claims="${encodedUrl}", error=insufficient_claims`, claims],
    [
      `Bearer error="insufficient_claims", claims="${encodedUrl.padEnd(encoded.length, "=")}"`,
      claims,
    ],
    [`Bearer error="invalid_token", claims="${encoded}"`, undefined],
    [`Bearer error="insufficient_claims", claims="!"`, undefined],
    [`Bearer error="insufficient_claims", claims="AAAA"`, undefined],
  ];
  for (const [header, expected] of rows) {
    it(`in ${header} is ${expected}`, () => assert.equal(claimsChallenge(header), expected));
  }
});

describe("a server's words", () => {
  it("lose tokens, keys and control characters, and are cut", () => {
    const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl";
    assert.equal(scrub(`bad token ${jwt}!`), "bad token [redacted]!");
    assert.equal(scrub(`key ${"A".repeat(80)}=`), "key [redacted]");
    assert.equal(scrub("a\r\n\0b"), "a b");
    assert.ok(scrub("word ".repeat(10_000)).length <= 600);
    assert.equal(
      scrub("AADSTS7000218: trace 0f8fad5b-d9cb-469f-a165-70867728950e."),
      "AADSTS7000218: trace 0f8fad5b-d9cb-469f-a165-70867728950e.",
    );
  });

  it("are taken from the known fields alone", () => {
    const rows: [string, string][] = [
      ["", "no response body"],
      ["<html>", "no error text in the response body"],
      ["[]", "no error text in the response body"],
      ['{"error":1}', "no error text in the response body"],
      ['{"error":"e","error_description":"d","secret":"s"}', "e: d"],
      ['{"error":"e","message":"m"}', "e: m"],
      ['{"error":{"code":"c","message":"m","innererror":{"trace":"t"}}}', "c: m"],
    ];
    for (const [body, expected] of rows) assert.equal(describeErrorBody(body), expected, body);
  });
});

describe("an identity", () => {
  it("is named by what the user gave, and selects by its kind", () => {
    assert.deepEqual(resolveIdentity({}), { name: "system_assigned_managed_identity" });
    assert.deepEqual(resolveIdentity({ clientId: "a" }), {
      name: "a",
      selector: ["client_id", "a"],
    });
    assert.deepEqual(resolveIdentity({ objectId: "a" }).selector, ["object_id", "a"]);
    assert.deepEqual(resolveIdentity({ resourceId: "/a" }).selector, ["mi_res_id", "/a"]);
    assert.equal(certificateAlias({ name: "Foo" }, true), "Foo#att=1");
    assert.equal(certificateAlias({ name: "foo" }, false), "foo#att=0");
  });
});

describe("events", () => {
  it("show the end of an alias and its length", () => {
    assert.equal(maskAlias("6325cd32-9911-41f3-819c-416cdf9104e7#att=0"), "…e7#att=0(42)");
  });

  it("don't suffer from a listener that throws", () => {
    const emit = emitter(
      () => {
        throw new Error("listener");
      },
      () => 0,
      "id",
      "alias",
    );
    emit({ type: "cache", outcome: "hit" });
  });

  it("carry time, id and masked alias", () => {
    const seen: KeyboundEvent[] = [];
    emitter((event) => void seen.push(event), () => 7, "id", "alias")({
      type: "cache",
      outcome: "hit",
    });
    assert.deepEqual(seen, [
      { time: 7, correlationId: "id", alias: "…alias(5)", type: "cache", outcome: "hit" },
    ]);
  });
});

describe("an error", () => {
  it("shows what is known and nothing else", () => {
    const error = new KeyboundError("invalid_client", "No.", { status: 400, source: undefined });
    assert.deepEqual(Object.keys(error).sort(), ["code", "name", "retryable", "status"]);
    assert.equal("cause" in error, false);
    assert.equal(error instanceof Error, true);
    assert.equal(isKeyboundError(error), true);
    assert.equal(isKeyboundError(error, "invalid_client"), true);
    assert.equal(isKeyboundError(error, "not_found"), false);
    assert.equal(isKeyboundError(new Error()), false);
  });
});
