/**
 * PEM: the text forms that are refused, those that are read, and the one that is written.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Bytes } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { decodePem, encodePem, MAX_PEM_LENGTH } from "../../src/x509/pem.ts";
import { assertCode, bytes } from "./support/assert.ts";
import { hasOpenssl, openssl } from "./support/openssl.ts";
import { buildCertificate } from "./support/certificates.ts";

const BEGIN = "-----BEGIN CERTIFICATE-----\n";
const END = "-----END CERTIFICATE-----\n";
const decode = (text: string): Bytes[] => decodePem(text, "CERTIFICATE");

describe("decodePem refuses", () => {
  const refused: readonly (readonly [reason: string, text: string])[] = [
    ["an empty text", ""],
    ["text without a block", "MAA=\n"],
    ["a block of another label alone", encodePem("PRIVATE KEY", bytes("3000"))],
    ["a label that only begins alike", encodePem("CERTIFICATE REQUEST", bytes("3000"))],
    ["a label in lower case", `-----BEGIN certificate-----\nMAA=\n-----END certificate-----\n`],
    ["a block without an end", `${BEGIN}MAA=\n`],
    ["an end without a block", `MAA=\n${END}`],
    ["an end behind a whole block", `${BEGIN}MAA=\n${END}${END}`],
    ["a block begun twice", `${BEGIN}${BEGIN}MAA=\n${END}`],
    ["a block inside another", `${BEGIN}MAA=\n${encodePem("X", bytes("3000"))}${END}`],
    ["a block ended by another label", `${BEGIN}MAA=\n-----END PUBLIC KEY-----\n`],
    [
      "a block ended by another label and then by its own",
      `${BEGIN}MAA=\n-----END PUBLIC KEY-----\n${END}`,
    ],
    ["a good block before one without an end", `${BEGIN}MAA=\n${END}${BEGIN}MAA=\n`],
    ["an end with four dashes", `${BEGIN}MAA=\n----END CERTIFICATE----\n`],
    ["an end on the line of the base64", `${BEGIN}MAA=-----END CERTIFICATE-----\n`],
    ["a block on one line", "-----BEGIN CERTIFICATE-----MAA=-----END CERTIFICATE-----"],
    ["an empty block", `${BEGIN}${END}`],
    ["letters that aren't base64", `${BEGIN}MAA*\n${END}`],
    ["base64url", `${BEGIN}MA_-\n${END}`],
    ["base64 without padding", `${BEGIN}MAA\n${END}`],
    ["padding in the middle", `${BEGIN}MAA=\nMAA=\n${END}`],
    ["padding alone", `${BEGIN}====\n${END}`],
    ["bits behind the last byte", `${BEGIN}MAB=\n${END}`],
    ["a blank within a line", `${BEGIN}MA A=\n${END}`],
    ["headers of RFC 1421", `${BEGIN}Proc-Type: 4,ENCRYPTED\n\nMAA=\n${END}`],
    ["a checksum of OpenPGP", `${BEGIN}MAAA\n=AAAA\n${END}`],
    ["a good block before a bad one", `${BEGIN}MAA=\n${END}${BEGIN}MAA\n${END}`],
    ["more than 1 MiB", `${BEGIN}MAA=\n${END}`.padEnd(MAX_PEM_LENGTH + 1)],
  ];
  for (const [reason, text] of refused) {
    it(reason, () => assertCode(() => decode(text), "invalid_pem"));
  }

  it("1 MiB of dashes, of openings and of line ends without hanging", () => {
    for (const part of ["-", "-----BEGIN ", "\n", "-----BEGIN A-----\n", "\r\n \t", "-----END "]) {
      const text = part.repeat(Math.floor(MAX_PEM_LENGTH / part.length));
      const start = performance.now();
      assertCode(() => decode(text), "invalid_pem");
      assert.ok(performance.now() - start < 5_000, JSON.stringify(part));
    }
  });
});

describe("decodePem reads", () => {
  const sequenceTwice = [bytes("3000"), bytes("3000")];
  const read: readonly (readonly [what: string, text: string, blocks: readonly Bytes[]])[] = [
    ["a block", `${BEGIN}MAA=\n${END}`, [bytes("3000")]],
    ["a text of 1 MiB", `${BEGIN}MAA=\n${END}`.padEnd(MAX_PEM_LENGTH), [bytes("3000")]],
    ["a block without a line end", `${BEGIN}MAA=\n${END.trim()}`, [bytes("3000")]],
    ["lines ended by CR LF", `${BEGIN}MAA=\n${END}`.replaceAll("\n", "\r\n"), [bytes("3000")]],
    ["lines ended by CR", `${BEGIN}MAA=\n${END}`.replaceAll("\n", "\r"), [bytes("3000")]],
    ["a byte-order mark and indented lines", `\ufeff  ${BEGIN}\t MAA= \n  ${END}`, [bytes("3000")]],
    ["lines of any length, blank ones between", `${BEGIN}M\n\nAA\n=\n${END}`, [bytes("3000")]],
    ["two blocks", `${BEGIN}MAA=\n${END}${BEGIN}MAA=\n${END}`, sequenceTwice],
    [
      "past text and blocks of other labels, whatever they hold",
      `subject=CN\n-----BEGIN A-----\nDEK-Info: x\n-----END A-----\n${BEGIN}MAA=\n${END}issuer=CN\n`,
      [bytes("3000")],
    ],
  ];
  for (const [what, text, blocks] of read) {
    it(what, () => assert.deepEqual(decode(text), blocks));
  }
});

describe("encodePem", () => {
  it("writes lines of 64 characters", () => {
    assert.equal(
      encodePem("X", new Uint8Array(50)),
      `-----BEGIN X-----\n${"A".repeat(64)}\nAAA=\n-----END X-----\n`,
    );
    assert.equal(
      encodePem("X", new Uint8Array(48)),
      `-----BEGIN X-----\n${"A".repeat(64)}\n-----END X-----\n`,
    );
  });

  it("writes what decodePem reads, among other blocks", () => {
    const der = fc.uint8Array({ minLength: 1, maxLength: 500 });
    fc.assert(fc.property(fc.array(der, { minLength: 1, maxLength: 4 }), der, (ders, other) => {
      const text = ders.map((d) => encodePem("CERTIFICATE", d) + encodePem("OTHER", other)).join(
        "",
      );
      assert.deepEqual(decode(text), ders.map((d) => Uint8Array.from(d)));
    }));
  });

  (hasOpenssl ? it : it.skip)("writes what openssl writes", () => {
    const der = buildCertificate();
    const pem = new TextDecoder().decode(openssl(["x509", "-inform", "DER"], der));
    assert.equal(encodePem("CERTIFICATE", der), pem);
  });
});

describe("a changed text", () => {
  it("is refused or holds the bytes its base64 says", () => {
    const pem = encodePem("CERTIFICATE", buildCertificate());
    const edit = fc.record({
      at: fc.nat(pem.length),
      drop: fc.nat(3),
      put: fc.string({ unit: fc.constantFrom("-", "A", "=", "\n", " ", "*", "\0"), maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let text = pem;
        for (const { at, drop, put } of edits) {
          text = text.slice(0, at) + put + text.slice(at + drop);
        }
        let blocks: Bytes[];
        try {
          blocks = decode(text);
        } catch (error) {
          assert.ok(isKeyboundError(error, "invalid_pem"));
          return;
        }
        const body = /BEGIN CERTIFICATE-----([^-]*)-----END/.exec(text)![1]!.replace(/\s/g, "");
        assert.deepEqual(blocks, [Uint8Array.from(atob(body), (c) => c.charCodeAt(0))]);
      }),
      { numRuns: 2_000 },
    );
  });
});
