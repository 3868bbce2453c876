/**
 * What a managed identity's wishes become on the way to each source: claims, capabilities, extra
 * query parameters, repetitions, ids (protocol.md sections 6.6, 6.9, 7.2, 10.2, 10.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { drive } from "../support/clock.ts";
import {
  BEARER,
  bearerHost,
  ENVIRONMENTS,
  numbered,
  type SentRequest,
  SOURCES,
} from "./support/bearer_host.ts";

const CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';

/** The query of a request, decoded, with the form's fields. */
const fields = ({ url, body }: SentRequest) => [
  ...new URL(url).searchParams,
  ...new URLSearchParams(body),
];
const field = (request: SentRequest, name: string) =>
  fields(request).filter(([key]) => key === name).map(([, value]) => value);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

for (const [source, environment] of SOURCES) {
  const isFabric = source === "ServiceFabric";

  describe(`claims and capabilities to ${source}`, () => {
    it("with capabilities alone: the token is served again", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make({ clientCapabilities: ["cp1", "cp2"] });
      await identity.getToken(BEARER);
      assert.equal((await identity.getToken(BEARER)).fromCache, true);
      assert.equal(sent.length, 1);
      assert.deepEqual(field(sent[0]!, "xms_cc"), isFabric ? ["cp1,cp2"] : []);
      assert.deepEqual(field(sent[0]!, "token_sha256_to_refresh"), []);
    });

    it("with claims: the source is asked each time, of what was revoked only Service Fabric hears", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make();
      const asked = { ...BEARER, claims: CLAIMS };
      for (const expected of [undefined, "token-0", "token-1"]) {
        assert.equal((await identity.getToken(asked)).fromCache, false);
        const hashes = isFabric && expected !== undefined ? [sha256(expected)] : [];
        assert.deepEqual(field(sent.at(-1)!, "token_sha256_to_refresh"), hashes);
      }
      assert.equal((await identity.getToken(BEARER)).accessToken, "token-2");
      assert.equal(sent.length, 3);
      for (const request of sent) {
        assert.ok(
          !/nbf|claims/.test(JSON.stringify([request, fields(request)])),
          "never the claims",
        );
        assert.deepEqual(field(request, "xms_cc"), []);
      }
    });

    it("with both: both are told, and a forced refresh tells of nothing revoked", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make({ clientCapabilities: ["cp1"] });
      await identity.getToken(BEARER);
      await identity.getToken({ ...BEARER, claims: CLAIMS });
      await identity.getToken({ ...BEARER, forceRefresh: true });
      assert.deepEqual(
        sent.map((request) => field(request, "xms_cc")),
        Array(3).fill(isFabric ? ["cp1"] : []),
      );
      assert.deepEqual(
        sent.map((request) => field(request, "token_sha256_to_refresh")),
        [[], isFabric ? [sha256("token-0")] : [], []],
      );
    });

    it("with claims that are no JSON object: refused before any request", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      for (const claims of ["", "null", "[]", "nbf", "{", `"${CLAIMS}"`]) {
        await assert.rejects(make().getToken({ ...BEARER, claims }), {
          code: "invalid_json_claims_format",
        });
      }
      assert.equal(sent.length, 0);
    });
  });

  describe(`extra query parameters to ${source}`, () => {
    it("are in the URL, encoded, and replace those of the source's own that have their names", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make();
      const extraQueryParameters = {
        "api-version": "1999-01-01",
        "a&resource": "x=1#y",
        "é": "%41",
      };
      await identity.getToken({ ...BEARER, extraQueryParameters });
      const [request] = sent;
      assert.deepEqual(field(request!, "api-version"), ["1999-01-01"]);
      assert.deepEqual(field(request!, "resource"), [BEARER.resource], "nothing is slipped in");
      assert.deepEqual(field(request!, "a&resource"), ["x=1#y"]);
      assert.deepEqual(field(request!, "é"), ["%41"]);
      assert.equal(new URL(request!.url).hash, "");
    });

    it("of one call aren't another's", async () => {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make();
      await identity.getToken({ ...BEARER, extraQueryParameters: { p: "1" } });
      await identity.getToken({ ...BEARER, extraQueryParameters: { p: "2" } });
      await identity.getToken(BEARER);
      assert.deepEqual(sent.map((request) => field(request, "p")), [["1"], ["2"], []]);
    });
  });

  describe(`repetition of requests to ${source}`, () => {
    it("starts afresh with each call", async () => {
      const { identity: make, settings, sent, azure } = await bearerHost(environment);
      settings.source = () => new Response("{}", { status: 503 });
      const identity = make();
      for (let call = 1; call <= 3; call++) {
        await assert.rejects(drive(azure.clock, identity.getToken(BEARER)), {
          code: "managed_identity_request_failed",
          status: 503,
        });
        assert.equal(sent.length, 4 * call);
      }
      const retries = azure.events.flatMap((event) => event.type === "retry" ? [event] : []);
      assert.deepEqual(
        retries.map(({ endpoint, attempt, status }) => [endpoint, attempt, status]),
        [1, 2, 3, 1, 2, 3, 1, 2, 3].map((attempt) => ["source", attempt, 503]),
      );
    });

    it("ends in a token", async () => {
      const { identity: make, settings, sent, azure: { clock } } = await bearerHost(environment);
      settings.source = (i, request, signal) =>
        i < 3 ? new Response("{}", { status: 500 }) : numbered()(i, request, signal);
      assert.equal((await drive(clock, make().getToken(BEARER))).accessToken, "token-3");
      assert.equal(sent.length, 4);
    });

    it("can be switched off", async () => {
      for (const status of [500, 503, 429, 404]) {
        const { identity: make, settings, sent } = await bearerHost(environment, {
          retries: false,
        });
        settings.source = () => new Response("{}", { status });
        await assert.rejects(make().getToken(BEARER), {
          code: "managed_identity_request_failed",
          status,
        });
        assert.equal(sent.length, 1);
      }
    });
  });
}

describe("an endpoint's own query", () => {
  it("stays as it is, even where it isn't well-formed, and extra parameters replace what is theirs", async () => {
    const { identity: make, sent } = await bearerHost({
      ...ENVIRONMENTS.AppService,
      IDENTITY_ENDPOINT: "http://127.0.0.1:41564/msi/token?%zz=1&k=v&a%62c=2",
    });
    await make().getToken({ ...BEARER, extraQueryParameters: { abc: "3", k: "w" } });
    assert.equal(
      sent[0]!.url,
      "http://127.0.0.1:41564/msi/token?%zz=1&api-version=2019-08-01" +
        "&resource=https%3A%2F%2Fvault.azure.net&abc=3&k=w",
    );
  });
});

describe("the second request to Azure Arc", () => {
  it("goes without the extra query parameters, which the first had", async () => {
    const { identity: make, settings, sent } = await bearerHost(ENVIRONMENTS.AzureArc);
    const path = "/var/opt/azcmagent/tokens/0b4e.key";
    settings.files[path] = "the-challenge-secret";
    settings.source = (i, request, signal) =>
      i === 0
        ? new Response(null, {
          status: 401,
          headers: { "www-authenticate": `Basic realm=${path}` },
        })
        : numbered()(i, request, signal);
    const extraQueryParameters = { p: "1", "api-version": "1999-01-01" };
    const { accessToken } = await make().getToken({ ...BEARER, extraQueryParameters });
    assert.equal(accessToken, "token-1");
    assert.deepEqual(sent.map((request) => [field(request, "p"), field(request, "api-version")]), [
      [["1"], ["1999-01-01"]],
      [[], ["2020-06-01"]],
    ]);
    assert.equal(sent[1]!.headers.authorization, "Basic the-challenge-secret");
    assert.equal(sent[0]!.headers.authorization, undefined);
  });
});

describe("the id of an acquisition", () => {
  it("is the caller's, or one of its own, on the request, the token and the events", async () => {
    const { identity: make, sent, azure } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    const correlationId = "22222222-2222-4333-8444-555555555555";
    const token = await identity.getToken({ ...BEARER, correlationId });
    assert.equal(token.correlationId, correlationId);
    assert.equal(sent[0]!.headers["x-ms-client-request-id"], correlationId);
    assert.ok(azure.events.length > 0);
    assert.ok(azure.events.every((event) => event.correlationId === correlationId));
    assert.equal((await identity.getToken(BEARER)).correlationId, correlationId, "who got it");
    const own = await identity.getToken({ ...BEARER, forceRefresh: true });
    assert.match(own.correlationId, /^[0-9a-f-]{36}$/);
    assert.equal(sent[1]!.headers["x-ms-client-request-id"], own.correlationId);
  });

  it("that is none is refused", async () => {
    const { identity: make, sent } = await bearerHost();
    await assert.rejects(make().getToken({ ...BEARER, correlationId: "a b" }), {
      code: "invalid_argument",
    });
    assert.equal(sent.length, 0);
  });
});

describe("the events of a bearer token", () => {
  it("tell what was found and what it took, and whose kind it was", async () => {
    const { identity: make, azure } = await bearerHost();
    const identity = make();
    await identity.getToken(BEARER);
    await identity.getToken(BEARER);
    const told = azure.events.map((event) =>
      event.type === "cache" ? event.outcome : `${event.type} ${event.alias}`
    );
    assert.deepEqual(told, ["miss", "token …y#bearer(39)", "hit"]);
  });
});
