/**
 * What every status of Windows means to a request: the class of the failure, or a fault of the key.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handshakeMove, recordMove } from "../../backends/schannel/moves.ts";
import { statusText } from "../../backends/schannel/status_names.ts";
import {
  chainFault,
  connectionFailure,
  credentialFailure,
  isFailure,
  recordFailure,
  serverFailure,
} from "../../backends/schannel/statuses.ts";
import { type ErrorCode, KeyboundError } from "../../src/errors.ts";
import { alertNumber, classifyFailure, failureSignals } from "../../src/policy/failure.ts";
import type { FailureClass } from "../../src/transports.ts";

function classOf(error: Error): FailureClass {
  assert.ok(!(error instanceof KeyboundError), String(error));
  const signals = failureSignals(error);
  const seen = { signals, reusedConnection: false, responseStarted: false } as const;
  return classifyFailure({ ...seen, stage: "tcp" }).class;
}

describe("a connection that failed", () => {
  const rows: readonly [status: number, FailureClass, alert: number | undefined][] = [
    [0x80090302, "protocol", 70],
    [0x80090304, "protocol", undefined],
    [0x80090308, "protocol", undefined],
    [0x8009030c, "credential_rejected", 49],
    [0x8009030f, "protocol", 20],
    [0x80090325, "credential_rejected", 48],
    [0x80090326, "suspect", 40],
    [0x80090327, "credential_rejected", 46],
    [0x80090328, "credential_rejected", 45],
    [0x80090330, "credential_rejected", 51],
    [0x80090331, "protocol", 71],
    [0x80092010, "credential_rejected", 44],
    [0x8badf00d, "protocol", undefined],
  ];
  for (const [status, failureClass, alert] of rows) {
    it(`with ${statusText(status)} is ${failureClass}`, () => {
      const error = connectionFailure("The TLS handshake failed", status);
      assert.equal(classOf(error), failureClass);
      assert.equal(alertNumber(failureSignals(error)), alert);
      assert.match(error.message, /^The TLS handshake failed: .*0x[\da-f]{8}/);
    });
  }

  it("is about the alert that was seen, whatever the status", () => {
    for (const [status, alert] of [[0x80090304, 42], [0x80090326, 47], [0x8009030e, 48]] as const) {
      const error = connectionFailure("The TLS handshake failed", status, alert);
      assert.equal(alertNumber(failureSignals(error)), alert);
      assert.ok(!(error instanceof KeyboundError));
    }
  });

  const keys: readonly [status: number, ErrorCode][] = [
    [0x8009000d, "key_unusable"],
    [0x80090010, "key_provider_unavailable"],
    [0x80090016, "key_unusable"],
    [0x80090022, "key_provider_unavailable"],
    [0x8009030d, "key_unusable"],
    [0x8009030e, "key_unusable"],
    [0x80090030, "key_provider_unavailable"],
    [0x800706ba, "key_provider_unavailable"],
  ];
  for (const [status, code] of keys) {
    it(`with ${statusText(status)} is ${code}`, () => {
      const error = connectionFailure("The TLS handshake failed", status);
      assert.ok(error instanceof KeyboundError);
      assert.equal(error.code, code);
      assert.equal(credentialFailure(status).code, code);
    });
  }
});

describe("a record that couldn't be opened", () => {
  it("blames the certificate for an alert, and nobody for damage", () => {
    assert.equal(classOf(recordFailure("Decryption failed", 0x80090327)), "credential_rejected");
    for (const status of [0x8009030f, 0x80090310, 0x80090330]) {
      assert.equal(classOf(recordFailure("Decryption failed", status)), "protocol");
    }
  });
});

describe("a credential handle that there isn't", () => {
  it("is the transport's fault unless the key is to blame", () => {
    for (const status of [0x80090304, 0x80090305, 0x80090331, 0x8009035d]) {
      assert.equal(credentialFailure(status).code, "transport_not_available");
    }
  });
});

describe("a server whose certificate failed", () => {
  const rows: readonly [status: number, code: string][] = [
    [0x80092010, "CERT_REVOKED"],
    [0x80096004, "CERT_SIGNATURE_FAILURE"],
    [0x80096019, "INVALID_CA"],
    [0x800b0101, "CERT_HAS_EXPIRED"],
    [0x800b0109, "CERT_UNTRUSTED"],
    [0x800b010a, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
    [0x800b010f, "HOSTNAME_MISMATCH"],
    [0x800b0110, "INVALID_PURPOSE"],
    [0x800b0114, "CERT_VERIFY_ERROR_800B0114"],
    [0x8badf00d, "CERT_VERIFY_ERROR_8BADF00D"],
  ];
  for (const [status, code] of rows) {
    it(`with ${statusText(status)} is untrusted, as ${code}`, () => {
      const error = serverFailure(status);
      assert.equal((error as { code?: string }).code, code);
      assert.equal(classOf(error), "server_untrusted");
    });
  }
});

describe("the trust status of a server's chain", () => {
  const rows: readonly [bits: number, status: number | undefined][] = [
    [0, undefined],
    // Nobody asked about revocation; the rest is for the policy to say.
    [0x40 | 0x1000000 | 0x2 | 0x100000, undefined],
    [0x1, 0x800b0101],
    [0x4, 0x800b010c],
    [0x8, 0x80096004],
    [0x10, 0x800b0110],
    [0x20, 0x800b0109],
    [0x80, 0x800b010a],
    [0x100, 0x800b0105],
    [0x400, 0x80096019],
    [0x800, 0x800b0114],
    [0x4000, 0x800b0114],
    [0x8000, 0x800b0114],
    [0x10000, 0x800b010a],
    [0x4000000, 0x800b010c],
    [0x8000000, 0x800b0105],
    [0x10 | 0x8 | 0x40, 0x80096004],
  ];
  for (const [bits, status] of rows) {
    const meaning = status === undefined ? "no fault" : statusText(status);
    it(`0x${bits.toString(16)} is ${meaning}`, () => assert.equal(chainFault(bits), status));
  }

  it("is refused as untrusted, whatever the fault", () => {
    for (const [, status] of rows) {
      if (status !== undefined) assert.equal(classOf(serverFailure(status)), "server_untrusted");
    }
  });
});

describe("a status", () => {
  it("has a name where it is known, and always its number", () => {
    assert.equal(statusText(0x80090318), "SEC_E_INCOMPLETE_MESSAGE (0x80090318)");
    // As a call gives it that reads it as signed.
    assert.equal(statusText(0x80090318 | 0), "SEC_E_INCOMPLETE_MESSAGE (0x80090318)");
    assert.equal(statusText(0x8badf00d), "0x8badf00d");
  });

  it("is a failure where its highest bit is set", () => {
    assert.equal(isFailure(0x80090318), true);
    assert.equal(isFailure(0x80090318 | 0), true);
    assert.equal(isFailure(0x00090312), false);
    assert.equal(isFailure(0), false);
  });

  it("says how the handshake goes on", () => {
    const moves = [0, 0x90312, 0x80090318, 0x90320, 0x90321, 0x90317, 0x90314, 0x80090304];
    assert.deepEqual(
      moves.map(handshakeMove),
      ["done", "continue", "wait", "again", "fail", "fail", "fail", "fail"],
    );
    assert.equal(handshakeMove(0x80090318 | 0), "wait");
  });

  it("says how the connection goes on", () => {
    const moves = [0, 0x80090318, 0x90321, 0x90317, 0x80090317, 0x80090330, 0x90312];
    assert.deepEqual(
      moves.map(recordMove),
      ["data", "wait", "settle", "ended", "fail", "fail", "fail"],
    );
  });
});
