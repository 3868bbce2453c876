/**
 * The client certificate in a proxy's header.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { certificateFromHeader } from "../../resource/mod.ts";
import { base64 } from "../../src/encoding.ts";
import { issueCertificate } from "../support/certificates.ts";

const { der, pem } = await issueCertificate();
const sequence = `:${base64(der)}:`;
const escaped = encodeURIComponent(pem);

describe("a certificate in a header", () => {
  it("is read as RFC 9440 writes it", () => {
    assert.deepEqual(certificateFromHeader(sequence, "rfc9440"), der);
    assert.deepEqual(certificateFromHeader(` ${sequence} `, "rfc9440"), der);
  });

  it("is read as nginx writes it", () => {
    assert.deepEqual(certificateFromHeader(escaped, "nginx"), der);
  });

  it("isn't there where the header is missing or empty", () => {
    for (const format of ["nginx", "rfc9440"] as const) {
      assert.equal(certificateFromHeader(null, format), undefined);
      assert.equal(certificateFromHeader("", format), undefined);
    }
  });

  const broken: [string, string, "nginx" | "rfc9440"][] = [
    ["two byte sequences", `${sequence}, ${sequence}`, "rfc9440"],
    ["parameters", `${sequence};a=1`, "rfc9440"],
    ["no colons", base64(der), "rfc9440"],
    ["nothing between the colons", "::", "rfc9440"],
    ["base64url", `:${base64(der).replaceAll("+", "-").replaceAll("/", "_")}_-:`, "rfc9440"],
    ["bytes that are no certificate", ":AAAA:", "rfc9440"],
    ["the other format", sequence, "nginx"],
    ["the other format", escaped, "rfc9440"],
    ["two certificates", escaped + escaped, "nginx"],
    ["two headers", `${escaped}, ${escaped}`, "nginx"],
    ["plain PEM", pem, "nginx"],
    ["a private key", escaped.replaceAll("CERTIFICATE", "PRIVATE%20KEY"), "nginx"],
    ["an escape cut short", `${escaped}%2`, "nginx"],
    ["escapes that aren't UTF-8", "%ff%fe", "nginx"],
    ["more than 16 KiB", escaped.padEnd(16_385, "A"), "nginx"],
  ];
  for (const [name, value, format] of broken) {
    it(`that holds ${name} is refused as ${format}`, () => {
      assert.throws(() => certificateFromHeader(value, format), { code: "invalid_encoding" });
    });
  }
});
