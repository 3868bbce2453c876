import assert from "node:assert/strict";
import { constants } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Emulator, startEmulator } from "../../emulator/mod.ts";
import {
  csr,
  type CsrParts,
  CUID_JSON,
  cuIdValue,
  der,
  ecKey,
  PKCS1,
  PSS_SALT_20,
  PSS_WITH_NULLS,
  rsaKey,
  SYSTEM,
  TENANT,
  USER,
} from "./support/csr.ts";
import { postCredential } from "./support/http.ts";

const CUID = "1.3.6.1.4.1.311.90.2.10";
const pss = (saltLength: number) => ({ padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

describe("the emulated credential endpoint", () => {
  const key = rsaKey();
  const other = rsaKey();
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  describe("refuses a CSR", () => {
    const table: [string, Partial<CsrParts>, RegExp][] = [
      [
        "with bytes after its end",
        { spoil: (whole) => Buffer.concat([whole, Buffer.from([0])]) },
        /DER/,
      ],
      ["that is cut short", { spoil: (whole) => whole.subarray(0, -1) }, /DER/],
      ["that is no DER at all", { spoil: () => Buffer.from("hello") }, /DER/],
      ["with one more element", {
        spoil: (whole) => der(0x30, whole.subarray(4), der(0x05)),
      }, /unexpected elements/],
      ["of version 1", { version: 1 }, /version/],
      ["whose signature was tampered with", {
        spoil: (whole) => {
          const spoiled = Buffer.from(whole);
          spoiled[spoiled.length - 1]! ^= 1;
          return spoiled;
        },
      }, /signature does not verify/],
      ["over another key than the one that signed it", {
        spki: other.publicKey.export({ format: "der", type: "spki" }),
      }, /signature does not verify/],
      ["signed with PKCS#1 v1.5", {
        algorithm: PKCS1,
        padding: { padding: constants.RSA_PKCS1_PADDING },
      }, /RSASSA-PSS/],
      ["signed with PKCS#1 v1.5 that claims to be PSS", {
        padding: { padding: constants.RSA_PKCS1_PADDING },
      }, /signature does not verify/],
      ["with salt 20", { algorithm: PSS_SALT_20, padding: pss(20) }, /salt 32/],
      [
        "with a salt that isn't the one it names",
        { padding: pss(20) },
        /signature does not verify/,
      ],
      ["over an RSA key of 1024 bits", { key: rsaKey(1024) }, /2048/],
      ["over a P-256 key", { key: ecKey() }, /key is not of an accepted kind/],
      ["without attributes", { attributes: "none" }, /no attributes/],
      ["with an empty set of attributes", { attributes: [] }, /exactly one attribute/],
      ["with the attribute of another OID", {
        attributes: [["challengePassword", cuIdValue()]],
      }, /exactly one attribute/],
      ["with a second attribute", {
        attributes: [[CUID, cuIdValue()], ["challengePassword", cuIdValue()]],
      }, /exactly one attribute/],
      ["with the attribute twice", {
        attributes: [[CUID, cuIdValue()], [CUID, cuIdValue()]],
      }, /exactly one attribute/],
      ["with two values in the attribute", {
        attributes: [[CUID, cuIdValue(), cuIdValue()]],
      }, /one UTF8String/],
      ["with a PrintableString in the attribute", {
        attributes: [[CUID, cuIdValue(CUID_JSON, 0x13)]],
      }, /one UTF8String/],
      ["of another machine", {
        attributes: [[CUID, cuIdValue('{"vmId":"other","vmssId":"test-vmss-id"}')]],
      }, /cuId/],
      ["whose cuId lacks a member", {
        attributes: [[CUID, cuIdValue('{"vmId":"test-vm-id"}')]],
      }, /cuId/],
      ["whose cuId has white space", {
        attributes: [[CUID, cuIdValue(CUID_JSON.replace(",", ", "))]],
      }, /cuId/],
      ["of another identity", { subject: [[["DC", TENANT]], [["CN", USER]]] }, /subject/],
      ["of another tenant", { subject: [[["DC", USER]], [["CN", SYSTEM]]] }, /subject/],
      ["without a tenant", { subject: [[["CN", SYSTEM]]] }, /subject/],
      ["with more in its subject", {
        subject: [[["DC", TENANT]], [["CN", SYSTEM]], [["O", "more"]]],
      }, /subject/],
      ["with both names in one RDN", { subject: [[["DC", TENANT], ["CN", SYSTEM]]] }, /subject/],
    ];
    for (const [what, parts, reason] of table) {
      it(what, async () => {
        const answer = await postCredential(emulator, { csr: csr({ key, ...parts }) });
        assert.equal(answer.status, 400);
        assert.equal(answer.json["error"], "invalid_request");
        assert.match(`${answer.json["error_description"]}`, /^The CSR was refused: /);
        assert.match(`${answer.json["error_description"]}`, reason);
      });
    }

    const encodings: [string, (base64: string) => string][] = [
      [
        "in PEM",
        (text) => `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----`,
      ],
      ["with line breaks", (text) => text.replace(/.{64}/g, "$&\n")],
      ["without padding", (text) => text.replace(/=+$/, "").slice(0, -1)],
      ["in base64url", (text) => `-_-_${text}`],
      ["that is empty", () => ""],
    ];
    for (const [what, encode] of encodings) {
      it(what, async () => {
        const answer = await postCredential(emulator, { csr: encode(csr({ key })) });
        assert.equal(answer.status, 400);
        assert.match(`${answer.json["error_description"]}`, /base64/);
      });
    }
  });

  describe("accepts a CSR", () => {
    const table: [string, Partial<CsrParts>][] = [
      ["as protocol.md describes it", {}],
      ["with its names the other way round", { subject: [[["CN", SYSTEM]], [["DC", TENANT]]] }],
      ["with names in UTF8String and IA5String", {
        subject: [[["DC", TENANT, 0x16]], [["CN", SYSTEM, 0x0c]]],
      }],
      ["whose PSS parameters have NULLs", { algorithm: PSS_WITH_NULLS }],
    ];
    for (const [what, parts] of table) {
      it(what, async () => {
        const answer = await postCredential(emulator, { csr: csr({ key, ...parts }) });
        assert.equal(answer.status, 200, answer.body.toString());
      });
    }

    it("over a P-256 key once it is told to", async () => {
      await emulator.set({ acceptEc: true });
      const answer = await postCredential(emulator, { csr: csr({ key: ecKey() }) });
      assert.equal(answer.status, 200, answer.body.toString());
    });
  });
});
