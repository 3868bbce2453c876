/**
 * What is decided of plain values: what a status means, which kinds of key come into question, what
 * an orphan is (protocol.md sections 2.2 and 2.4).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOrphan, type KeyFinding } from "../../backends/windows/orphans.ts";
import {
  classifyStatus,
  isTierMissing,
  provesDeath,
  type StatusClass,
  StatusError,
  statusName,
  toKeyboundError,
} from "../../backends/windows/status.ts";
import { possibleSchemes, strengthsFrom, TIERS } from "../../backends/windows/tiers.ts";
import { KeyboundError } from "../../src/errors.ts";

const ROWS: readonly [number, StatusClass][] = [
  [0x80090016, "absent"],
  [0x80090011, "absent"],
  [0x80090003, "dead"],
  [0x80090005, "dead"],
  [0x8009000b, "dead"],
  [0x8009000d, "dead"],
  [0x8009002c, "dead"],
  [0x8028009f, "dead"],
  [0x80090010, "denied"],
  [0x80070005, "denied"],
  [0x80090022, "denied"],
  [0x80090030, "unreachable"],
  [0x800706ba, "unreachable"],
  [0x80284008, "unreachable"],
  [0x80890014, "unsupported"],
  [0x80090029, "unsupported"],
  [0x80090009, "unsupported"],
  [0x80090035, "unsupported"],
  [0x8028400f, "unsupported"],
  [0x80090020, "other"],
  [0x80090027, "other"],
  [0xdeadbeef, "other"],
];

describe("a status", () => {
  for (const [status, meaning] of ROWS) {
    it(`${statusName(status)} means '${meaning}', signed or not`, () => {
      assert.equal(classifyStatus(status), meaning);
      assert.equal(classifyStatus(status | 0), meaning);
    });
  }

  it("is named as in winerror.h, with its number", () => {
    assert.equal(statusName(0x80090016 | 0), "NTE_BAD_KEYSET (0x80090016)");
    assert.equal(statusName(0x8000ffff), "0x8000ffff");
  });

  it("proves a key dead only where Windows answered about it", () => {
    for (const [status, meaning] of ROWS) {
      const error = new StatusError("NCryptSignHash", status);
      const isDead = meaning === "absent" || meaning === "dead";
      assert.equal(provesDeath(error, "software"), isDead, statusName(status));
      assert.equal(provesDeath(error, "hardware"), isDead, statusName(status));
      const isDeadKeyGuard = meaning !== "denied" && meaning !== "unreachable";
      assert.equal(provesDeath(error, "keyguard"), isDeadKeyGuard, statusName(status));
    }
    assert.equal(provesDeath(new Error("no status"), "keyguard"), false);
  });

  it("says that a host lacks a kind of key, also while a TPM isn't ready", () => {
    const missing = ROWS.filter(([status]) => isTierMissing(new StatusError("f", status)))
      .map(([status]) => status);
    const unsupported = ROWS.filter(([, meaning]) => meaning === "unsupported").map(([s]) => s);
    assert.deepEqual(missing.sort(), [0x80090030, 0x80284008, ...unsupported].sort());
  });

  it("becomes key_unusable or key_provider_unavailable, retryable where time may help", () => {
    for (const [status, meaning] of ROWS) {
      const error = toKeyboundError(
        new StatusError("NCryptOpenKey", status),
        "Key 'k'",
        "software",
      );
      assert.ok(error instanceof KeyboundError);
      const isDead = meaning === "absent" || meaning === "dead";
      assert.equal(error.code, isDead ? "key_unusable" : "key_provider_unavailable");
      assert.equal(error.retryable, meaning === "unreachable");
      assert.match(error.message, /^Key 'k' can't be used: NCryptOpenKey returned .+\. .+\.$/);
    }
    const other = new TypeError("not a status");
    assert.equal(toKeyboundError(other, "Key 'k'", "software"), other);
  });
});

describe("the kinds of key", () => {
  it("are tried strongest first, down to the weakest that will do", () => {
    assert.deepEqual(strengthsFrom("software"), ["keyguard", "hardware", "software"]);
    assert.deepEqual(strengthsFrom("hardware"), ["keyguard", "hardware"]);
    assert.deepEqual(strengthsFrom("keyguard"), ["keyguard"]);
  });

  it("have providers, flags and usages of protocol.md section 2.2", () => {
    assert.deepEqual(TIERS.keyguard, {
      strength: "keyguard",
      provider: "Microsoft Software Key Storage Provider",
      flags: 0x60000,
      usage: 0xffffff,
    });
    assert.equal(TIERS.hardware.provider, "Microsoft Platform Crypto Provider");
    assert.equal(TIERS.software.provider, "Microsoft Software Key Storage Provider");
    assert.deepEqual([TIERS.hardware.flags, TIERS.software.flags], [0, 0]);
  });

  it("offer PSS first, and of a TPM only what it may have", () => {
    assert.equal(possibleSchemes(undefined, "keyguard").length, 6);
    assert.deepEqual(possibleSchemes(undefined, "hardware"), [
      "rsa_pss_rsae_sha256",
      "rsa_pkcs1_sha256",
    ]);
    assert.deepEqual(possibleSchemes("P-256", "hardware"), ["ecdsa_secp256r1_sha256"]);
    assert.deepEqual(possibleSchemes("P-999", "software"), []);
  });
});

describe("a certificate is an orphan (protocol.md section 2.4)", () => {
  const spki = Uint8Array.of(1, 2, 3);
  const rows: [string, KeyFinding, boolean][] = [
    ["with the key that it names: no", spki.slice(), false],
    ["whose container holds another key: yes", Uint8Array.of(1, 2, 4), true],
    ["whose key is gone: yes", "absent", true],
    ["whose key is damaged: yes", "dead", true],
    ["that names no key: no, its user compares", "none_named", false],
    ["whose key isn't in CNG: no", "not_cng", false],
    ["whose key can't be looked at: no", "unknown", false],
  ];
  for (const [title, finding, expected] of rows) {
    it(title, () => assert.equal(isOrphan(finding, spki), expected));
  }
});
