/**
 * The failure classifier against everything the runtimes were seen to say, and its own rules.
 *
 * `failure_signals.txt` holds one measured failure a line, under a `# case` heading:
 * `runtimes | constructor|name|code|message <- cause's ... @events reused=true  1502ms`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { ErrorCode } from "../../src/errors.ts";
import {
  alertNumber,
  classifyFailure,
  failureSignals,
  transportError,
} from "../../src/policy/failure.ts";
import type {
  FailureClass,
  FailureSignal,
  TransportFailure,
  TransportStage,
} from "../../src/transports.ts";

interface Case {
  readonly heading: string;
  readonly line: string;
  readonly runtimes: readonly string[];
  readonly failure: TransportFailure | undefined;
}

const LINE = /^ +([a-z0-9,]+) \| (.+)$/;
const TAIL = / +@(start|tcp|secure|headers|reused)((?:\+[a-z/]+)*)( reused=true)?(?: +\d+ms)? *$/;

function parseSignal(text: string): FailureSignal {
  const [constructor, name, code, ...message] = text.split("|");
  assert.ok(constructor && name && code && message.length > 0, text);
  return { name, code, message: message.join("|") };
}

function parseFailure(text: string): TransportFailure | undefined {
  if (text === "NO ERROR") return undefined;
  const tail = TAIL.exec(text);
  const reusedConnection = tail?.[3] !== undefined;
  const event = tail?.[1];
  assert.equal(event === "reused", reusedConnection, text);
  const stage = event === undefined ? "tcp" : event === "reused" ? "secure" : event;
  return {
    signals: text.slice(0, tail?.index).split(/ +<- +/).map(parseSignal),
    stage: stage as TransportStage,
    reusedConnection,
    responseStarted: event === "headers",
  };
}

function parseFixture(text: string): Case[] {
  const cases: Case[] = [];
  let heading = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# ")) heading = line.slice(2);
    else if (line !== "") {
      const [, runtimes, rest] = LINE.exec(line) ?? [];
      assert.ok(runtimes && rest && heading, `a line of the fixture doesn't parse: ${line}`);
      cases.push({ heading, line, runtimes: runtimes.split(","), failure: parseFailure(rest) });
    }
  }
  return cases;
}

/** What a heading of the fixture implies: the class, and the alert where it names one. */
function expected(heading: string): { class: FailureClass; alert?: string } {
  const [label, first, second] = heading.split(" ") as [string, string, string];
  if (label === "a") {
    const alert = second !== "NO-CERT-SENT"
      ? second
      : heading.includes("TLS1.2")
      ? "handshake_failure"
      : "certificate_required";
    if (alert === "handshake_failure") return { class: "suspect", alert };
    if (alert === "internal_error") return { class: "protocol", alert };
    return { class: "credential_rejected", alert };
  }
  if (label === "n2") {
    return heading.endsWith("TLS1.2")
      ? { class: "suspect", alert: "handshake_failure" }
      : { class: "credential_rejected", alert: "certificate_required" };
  }
  assert.ok(first);
  if (/^([bcd]\d|n1)$/.test(label)) return { class: "suspect" };
  if (/^[eh]$/.test(label)) return { class: "unreachable" };
  if (/^f[123]$/.test(label)) return { class: "timeout" };
  if (/^g[123]$/.test(label)) return { class: "server_untrusted" };
  if (/^(g4|j)$/.test(label)) return { class: "protocol" };
  if (/^[ik][12]$/.test(label)) return { class: "peer_reset" };
  assert.fail(`the fixture has a case nobody expects: ${heading}`);
}

const cases = parseFixture(
  readFileSync(new URL("./failure_signals.txt", import.meta.url), "utf8"),
);

describe("classifyFailure, on every measured failure", () => {
  it("sees the whole fixture", () => {
    assert.equal(cases.length, 237);
    assert.equal(new Set(cases.map((one) => one.heading)).size, 72);
    for (const runtime of ["n20", "n22", "n24", "deno", "bun"]) {
      assert.equal(cases.filter((one) => one.runtimes.includes(runtime)).length, 72, runtime);
    }
  });

  it("skips only the two lines on which Deno re-sent the request and saw no error", () => {
    const skipped = cases.filter((one) => one.failure === undefined);
    assert.deepEqual(skipped.map((one) => [one.heading, one.runtimes]), [
      ["k1 RST on reused conn", ["deno"]],
      ["k2 FIN on reused conn", ["deno"]],
    ]);
  });

  for (const { heading, line, runtimes, failure } of cases) {
    if (failure === undefined) continue;
    it(`${heading}: ${runtimes.join(", ")}`, () => {
      assert.deepEqual(classifyFailure(failure), expected(heading), line);
    });
  }
});

const reset: FailureSignal = { name: "Error", code: "ECONNRESET", message: "read ECONNRESET" };

function failureOf(...signals: FailureSignal[]): TransportFailure {
  return { signals, stage: "secure", reusedConnection: false, responseStarted: false };
}

function classOf(failure: TransportFailure): FailureClass {
  return classifyFailure(failure).class;
}

describe("classifyFailure", () => {
  it("lets the numeric alert win over what the signals say", () => {
    const written = { code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", message: "alert number 48" };
    assert.deepEqual(classifyFailure({ ...failureOf(written), alert: 120 }), {
      class: "protocol",
      alert: "120",
    });
    assert.deepEqual(classifyFailure({ ...failureOf(reset), alert: 44 }), {
      class: "credential_rejected",
      alert: "certificate_revoked",
    });
  });

  it("puts every alert into one of three classes", () => {
    const rejected = [41, 42, 43, 44, 45, 46, 48, 49, 51, 116];
    for (let alert = 0; alert < 256; alert++) {
      const want = rejected.includes(alert)
        ? "credential_rejected"
        : alert === 40
        ? "suspect"
        : "protocol";
      assert.equal(classOf({ ...failureOf(reset), alert }), want, `alert ${alert}`);
    }
  });

  it("names an alert that it has no number for", () => {
    const message = "received fatal alert: NoApplicationProtocol";
    const verdict = { class: "protocol", alert: "no_application_protocol" };
    assert.deepEqual(classifyFailure(failureOf({ message })), verdict);
  });

  it("believes the message where Deno's code names another alert", () => {
    const code = "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE";
    const message = "received fatal alert: CertificateRequired";
    const verdict = { class: "credential_rejected", alert: "certificate_required" };
    assert.deepEqual(classifyFailure(failureOf({ code, message })), verdict);
  });

  it("puts a timeout before an abort, and both before an alert", () => {
    const alert = { code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" };
    const abort = { name: "AbortError", code: "ABORT_ERR" };
    assert.equal(classOf(failureOf(alert, abort, { name: "TimeoutError" })), "timeout");
    assert.equal(classOf(failureOf(alert, abort)), "aborted");
    assert.equal(classOf(failureOf({ code: "ETIMEDOUT", message: "" })), "timeout");
  });

  it("puts an alert before a server certificate that isn't trusted, and that before a reset", () => {
    const untrusted = { code: "DEPTH_ZERO_SELF_SIGNED_CERT" };
    const alert = { code: "EPROTO", message: "tlsv1 alert unknown ca: alert number 48" };
    assert.equal(classOf(failureOf(untrusted, alert)), "credential_rejected");
    assert.equal(classOf(failureOf(reset, untrusted)), "server_untrusted");
    assert.equal(classOf(failureOf(reset, { code: "EHOSTUNREACH" })), "unreachable");
  });

  it("blames the connection once it had carried a request or a part of the response", () => {
    assert.equal(classOf(failureOf(reset)), "suspect");
    assert.equal(classOf({ ...failureOf(reset), reusedConnection: true }), "peer_reset");
    assert.equal(classOf({ ...failureOf(reset), responseStarted: true }), "peer_reset");
  });

  it("knows the ways a server's certificate is refused", () => {
    const codes = [
      "CERT_HAS_EXPIRED",
      "CERT_NOT_YET_VALID",
      "CERT_REVOKED",
      "CERT_UNTRUSTED",
      "CERT_SIGNATURE_FAILURE",
      "CRL_HAS_EXPIRED",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "UNABLE_TO_GET_ISSUER_CERT",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "HOSTNAME_MISMATCH",
      "INVALID_CA",
      "INVALID_PURPOSE",
      "PATH_LENGTH_EXCEEDED",
      "EE_KEY_TOO_SMALL",
      "CA_MD_TOO_WEAK",
    ];
    for (const code of codes) assert.equal(classOf(failureOf({ code })), "server_untrusted", code);
    const message = "invalid peer certificate: UnknownIssuer";
    assert.equal(classOf(failureOf({ name: "TypeError", message })), "server_untrusted");
  });

  it("calls everything else a matter of protocol", () => {
    assert.equal(classOf(failureOf({})), "protocol");
    assert.equal(classOf(failureOf({ code: "EPROTO" })), "protocol");
    assert.equal(classOf(failureOf({ code: "HPE_HEADER_OVERFLOW" })), "protocol");
  });
});

describe("transportError", () => {
  const rows: readonly [failure: TransportFailure, code: ErrorCode, isRetryable: boolean][] = [
    [failureOf({ name: "AbortError" }), "transport_failed", true],
    [{ ...failureOf(reset), alert: 48 }, "tls_credential_rejected", true],
    [{ ...failureOf(reset), reusedConnection: true }, "connection_reset", true],
    [failureOf({ code: "EPROTO" }), "tls_protocol_error", true],
    [failureOf({ code: "CERT_HAS_EXPIRED" }), "tls_server_untrusted", false],
    [failureOf(reset), "tls_credential_suspect", true],
    [failureOf({ name: "TimeoutError" }), "request_timeout", true],
    [failureOf({ code: "ECONNREFUSED" }), "network_unreachable", true],
  ];
  for (const [failure, code, isRetryable] of rows) {
    it(`gives ${classOf(failure)} the code ${code}, and keeps what was seen`, () => {
      const cause = new Error("behind it");
      const error = transportError(failure, cause);
      assert.equal(error.code, code);
      assert.equal(error.retryable, isRetryable);
      assert.equal(error.failure, failure);
      assert.deepEqual(error.verdict, classifyFailure(failure));
      assert.equal(error.cause, cause);
      assert.match(error.message, /^[A-Z].+[.)]$/);
    });
  }

  it("names the alert, if there was one", () => {
    const refused = { ...failureOf(reset), alert: 48 };
    assert.match(transportError(refused).message, / \(TLS alert: unknown_ca\)$/);
    assert.doesNotMatch(transportError(failureOf(reset)).message, /alert/);
  });
});

describe("alertNumber", () => {
  it("reads the number, or knows it by the name that each stack writes", () => {
    assert.equal(alertNumber([reset]), undefined);
    assert.equal(alertNumber([reset, { message: "SSL alert number 80" }]), 80);
    assert.equal(alertNumber([{ code: "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED" }]), 44);
    assert.equal(alertNumber([{ message: "received fatal alert: UnknownCA" }]), 48);
    assert.equal(alertNumber([{ message: "received fatal alert: BadCertificate" }]), 42);
    assert.equal(
      alertNumber([{ message: "received fatal alert: NoApplicationProtocol" }]),
      undefined,
    );
  });
});

describe("failureSignals", () => {
  it("walks the causes, outermost first, and stops after six", () => {
    const loop: Error & { cause?: unknown; code?: string } = new Error("round");
    loop.code = "ELOOP";
    loop.cause = loop;
    const signals = failureSignals(new TypeError("fetch failed", { cause: loop }));
    assert.equal(signals.length, 6);
    assert.deepEqual(signals[0], { name: "TypeError", message: "fetch failed" });
    assert.deepEqual(signals[1], { name: "Error", code: "ELOOP", message: "round" });
  });

  it("gives one signal for an error that isn't one", () => {
    for (const odd of [undefined, null, "text", 7, {}]) {
      assert.equal(failureSignals(odd).length, 1, String(odd));
    }
  });

  it("leaves out a code that isn't text and a message that says nothing", () => {
    assert.deepEqual(failureSignals(new Error("")), [{ name: "Error" }]);
    const [signal] = failureSignals(new DOMException("late", "TimeoutError"));
    assert.deepEqual(signal, { name: "TimeoutError", message: "late" });
  });
});
