/**
 * What holds for the verdict on every failure, whatever a TLS stack says.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { classifyFailure, failureSignals, transportError } from "../../src/policy/failure.ts";
import { healCause } from "../../src/policy/healing.ts";
import type { FailureSignal, TransportFailure } from "../../src/transports.ts";

const word = fc.oneof(
  fc.constantFrom(
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "ENOTFOUND",
    "CERT_HAS_EXPIRED",
    "EPROTO",
    "ABORT_ERR",
    "AbortError",
    "TimeoutError",
    "UND_ERR_SOCKET",
    "UND_ERR_CONNECT_TIMEOUT",
  ),
  fc.string({ maxLength: 12 }),
);
/** Without an alert, in figures or in words. */
const signal: fc.Arbitrary<FailureSignal> = fc.record(
  { name: word, code: word, message: word },
  { requiredKeys: [] },
);
const alerting: fc.Arbitrary<FailureSignal> = fc.oneof(
  fc.nat(255).map((number) => ({ message: `tlsv1 alert: SSL alert number ${number}` })),
  fc.constantFrom("UNKNOWN_CA", "BAD_CERTIFICATE", "HANDSHAKE_FAILURE", "INTERNAL_ERROR")
    .map((name) => ({ code: `ERR_SSL_TLSV1_ALERT_${name}` })),
  fc.constantFrom("UnknownCA", "CertificateRequired", "HandshakeFailure", "Other")
    .map((name) => ({ message: `received fatal alert: ${name}` })),
);

function failure(signals: fc.Arbitrary<FailureSignal>): fc.Arbitrary<TransportFailure> {
  return fc.record({
    signals: fc.array(signals, { minLength: 1, maxLength: 6 }),
    stage: fc.constantFrom("start", "tcp", "secure", "headers"),
    reusedConnection: fc.boolean(),
    responseStarted: fc.boolean(),
  });
}

describe("the verdict on any failure", () => {
  it("rejects the credential only where an alert said so", () => {
    fc.assert(fc.property(failure(signal), (seen) => {
      const verdict = classifyFailure(seen);
      assert.notEqual(verdict.class, "credential_rejected");
      assert.equal(verdict.alert, undefined);
    }));
    fc.assert(fc.property(failure(fc.oneof(signal, alerting)), (seen) => {
      const verdict = classifyFailure(seen);
      if (verdict.class === "credential_rejected") assert.notEqual(verdict.alert, undefined);
    }));
  });

  it("doesn't suspect the credential on a connection that had worked, unless an alert does", () => {
    fc.assert(fc.property(failure(signal), fc.boolean(), (seen, reused) => {
      const used = { ...seen, reusedConnection: reused, responseStarted: !reused };
      assert.notEqual(classifyFailure(used).class, "suspect");
    }));
  });

  it("never throws a certificate away for time, an abort, a network or a server that is not trusted", () => {
    const kinds = [
      "timeout",
      "aborted",
      "unreachable",
      "server_untrusted",
      "peer_reset",
      "protocol",
    ];
    fc.assert(fc.property(failure(fc.oneof(signal, alerting)), (seen) => {
      const error = transportError(seen);
      assert.equal(healCause(error.code) === undefined, kinds.includes(error.verdict.class));
    }));
  });

  it("is that of the alert's number, however the signals around it read", () => {
    fc.assert(fc.property(failure(signal), fc.nat(255), (seen, alert) => {
      const { class: kind } = classifyFailure({ ...seen, alert });
      if (kind === "timeout" || kind === "aborted") return;
      const alone = { ...seen, alert, signals: [{ message: "" }] };
      assert.equal(kind, classifyFailure(alone).class);
    }));
  });
});

describe("the signals of anything thrown", () => {
  it("are 1 to 6 plain objects", () => {
    const thrown = fc.letrec<{ thrown: unknown }>((tie) => ({
      thrown: fc.oneof(
        { maxDepth: 9 },
        fc.anything({ maxDepth: 1 }),
        fc.record({ name: fc.anything(), code: word, message: word, cause: tie("thrown") }),
      ),
    })).thrown;
    fc.assert(fc.property(thrown, (error) => {
      const signals = failureSignals(error);
      assert.ok(signals.length >= 1 && signals.length <= 6);
      for (const one of signals) {
        for (const part of Object.values(one)) assert.equal(typeof part, "string");
      }
    }));
  });
});
