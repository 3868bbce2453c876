/**
 * The transport over a platform's own mTLS fetcher, with a platform that is made up.
 *
 * @module
 */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { fetcherTransport, platformKey } from "../../backends/fetcher/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import type { Bytes } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { classifyFailure } from "../../src/policy/failure.ts";
import { type MtlsTransport, TransportError } from "../../src/transports.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";

function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isKeyboundError(error, code);
}

type Answer = (request: Request) => Response | Promise<Response>;

/** A platform that answers so, and the requests it was given. */
function platform(answer: Answer) {
  const requests: Request[] = [];
  return {
    requests,
    // deno-lint-ignore require-await
    async fetch(request: Request): Promise<Response> {
      requests.push(request);
      return answer(request);
    },
  };
}

const never = new Promise<Response>(() => {});

describe("fetcherTransport", () => {
  let certificate: Bytes;
  let credential: ClientCredential;

  before(async () => {
    certificate = (await issueCertificate()).der;
    credential = await ClientCredential.create([certificate], platformKey({ certificate }));
  });

  const transportOf = (answer: Answer, versions = {}): MtlsTransport =>
    fetcherTransport({ fetcher: platform(answer), certificate, ...versions });
  const request = (init?: RequestInit) => new Request("https://resource.example/path?q", init);

  it("refuses a certificate that doesn't parse", () => {
    const fetcher = platform(() => new Response());
    const broken = certificate.slice(1);
    assert.throws(
      () => fetcherTransport({ fetcher, certificate: broken }),
      rejectsWith("invalid_der"),
    );
    assert.throws(() => platformKey({ certificate: broken }), rejectsWith("invalid_der"));
  });

  it("accepts the platform's key alone", async () => {
    const transport = transportOf(() => new Response());
    const other = platformKey({ certificate: (await issueCertificate()).der });
    assert.equal(transport.name, "fetcher");
    assert.equal(transport.accepts(other), false);
    assert.equal(transport.accepts(credential.key), true);
  });

  it("refuses the credential of any other certificate, the same key's included", async () => {
    const fetcher = platform(() => new Response());
    const transport = fetcherTransport({ fetcher, certificate });
    const renewed =
      (await issueCertificate({ spki: credential.key.spki, issuer: await certificateAuthority() }))
        .der;
    const stranger = (await issueCertificate()).der;
    for (const der of [renewed, stranger]) {
      const other = await ClientCredential.create([der], platformKey({ certificate: der }));
      const sent = transport.fetch(request(), other);
      await assert.rejects(sent, rejectsWith("transport_not_available"));
    }
    assert.equal(fetcher.requests.length, 0);
  });

  it("refuses a URL that isn't https", async () => {
    const sent = transportOf(() => new Response()).fetch(
      new Request("http://a.example/"),
      credential,
    );
    await assert.rejects(sent, rejectsWith("invalid_argument"));
  });

  it("refuses a TLS version that the platform can't be held to", async () => {
    const open = transportOf(() => new Response());
    for (const versions of [{ maxVersion: "TLSv1.2" }, { minVersion: "TLSv1.3" }] as const) {
      const sent = open.fetch(request(), credential, versions);
      await assert.rejects(sent, rejectsWith("transport_not_available"));
      const limited = transportOf(() => new Response(), versions);
      assert.equal((await limited.fetch(request(), credential, versions)).status, 200);
    }
  });

  it("passes request and response on, and asks for redirects not to be followed", async () => {
    const answer = new Response("answer", {
      status: 302,
      headers: [["location", "/elsewhere"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
    });
    const fetcher = platform(() => answer);
    const transport = fetcherTransport({ fetcher, certificate });
    const headers = { authorization: "mtls_pop abc" };
    const sent = request({ method: "POST", body: "question", headers });
    const response = await transport.fetch(sent, credential, { connection: "fresh" });
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("location"), "/elsewhere");
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.equal(await response.text(), "answer");
    const [seen] = fetcher.requests;
    assert.equal(seen!.url, "https://resource.example/path?q");
    assert.equal(seen!.redirect, "manual");
    assert.equal(seen!.headers.get("authorization"), "mtls_pop abc");
    assert.equal(await seen!.text(), "question");
  });

  it("passes on a response without a body", async () => {
    const transport = transportOf(() => new Response(null, { status: 204 }));
    const response = await transport.fetch(request(), credential);
    assert.equal(response.status, 204);
    assert.equal(response.body, null);
  });

  it("refuses the answer of a platform that followed a redirect", async () => {
    const answer = new Response("elsewhere");
    Object.defineProperty(answer, "redirected", { value: true });
    const sent = transportOf(() => answer).fetch(request(), credential);
    await assert.rejects(sent, rejectsWith("redirect_refused"));
  });

  it("rejects with what the platform said, which speaks against no certificate", async () => {
    const cause = Object.assign(new Error("reset"), { code: "ECONNRESET" });
    const transport = transportOf(() => Promise.reject(new TypeError("fetch failed", { cause })));
    await assert.rejects(transport.fetch(request(), credential), (error) => {
      assert.ok(error instanceof TransportError);
      assert.equal(error.failure.stage, "start");
      assert.equal(error.failure.responseStarted, false);
      assert.deepEqual(error.failure.signals.map((one) => one.message), ["fetch failed", "reset"]);
      assert.equal(classifyFailure(error.failure).class, "peer_reset");
      return true;
    });
  });

  it("fails in the middle of a body as the platform does", async () => {
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (pulled++ === 0) controller.enqueue(new TextEncoder().encode("half"));
        else controller.error(new Error("cut off"));
      },
    });
    const response = await transportOf(() => new Response(body)).fetch(request(), credential);
    await assert.rejects(response.text(), (error) => {
      assert.ok(error instanceof TransportError);
      assert.equal(error.failure.stage, "headers");
      assert.equal(error.failure.responseStarted, true);
      assert.equal(error.failure.signals[0]?.message, "cut off");
      return true;
    });
  });

  describe("with a platform that doesn't heed signals", () => {
    const reason = new Error("enough");
    const isReason = (error: unknown) => error === reason;
    const stalling = (onCancel: () => void = () => {}) =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
          cancel: onCancel,
        }),
      );

    it("rejects with the reason before, during and after the request", async () => {
      const early = request({ signal: AbortSignal.abort(reason) });
      await assert.rejects(transportOf(() => never).fetch(early, credential), isReason);

      const during = new AbortController();
      const sent = transportOf(() => never).fetch(request({ signal: during.signal }), credential);
      during.abort(reason);
      await assert.rejects(sent, isReason);

      const after = new AbortController();
      let cancelled = false;
      const transport = transportOf(() => stalling(() => cancelled = true));
      const response = await transport.fetch(request({ signal: after.signal }), credential);
      const text = response.text();
      after.abort(reason);
      await assert.rejects(text, isReason);
      assert.ok(cancelled, "the platform's body was not cancelled");
    });

    it("fails requests under way and to come with 'closed' after close", async () => {
      const answers = [stalling(), never];
      const transport = transportOf(() => answers.shift()!);
      const response = await transport.fetch(request(), credential);
      const sent = transport.fetch(request(), credential);
      await transport.close();
      await assert.rejects(sent, rejectsWith("closed"));
      await assert.rejects(response.text(), rejectsWith("closed"));
      await assert.rejects(transport.fetch(request(), credential), rejectsWith("closed"));
      await transport.close();
    });

    it("cancels the platform's body with its own", async () => {
      let why: unknown;
      const body = new ReadableStream({ cancel: (given) => void (why = given) });
      const response = await transportOf(() => new Response(body)).fetch(request(), credential);
      await response.body!.cancel(reason);
      assert.equal(why, reason);
    });
  });
});

describe("platformKey", () => {
  it("signs nothing", async () => {
    const { der } = await issueCertificate();
    const key = platformKey({ certificate: der });
    assert.deepEqual(key.schemes, []);
    assert.equal(key.strength, "software");
    const signed = key.sign("rsa_pss_rsae_sha256", new Uint8Array(1));
    await assert.rejects(signed, rejectsWith("unsupported_scheme"));
    assert.equal(platformKey({ certificate: der, strength: "hardware" }).strength, "hardware");
  });
});
