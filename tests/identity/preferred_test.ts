/**
 * `binding: "preferred"`: bound where the host can, bearer where it can't, and nothing in between.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HOUR, settle } from "../support/clock.ts";
import { status, VAULT, wire } from "../support/fake_azure.ts";
import { settling, until } from "../support/waiting.ts";
import {
  bearerHost,
  ENVIRONMENT_SOURCES,
  ENVIRONMENTS,
  numbered,
  withoutImdsV2,
} from "./support/bearer_host.ts";

const PREFERRED = { resource: VAULT, binding: "preferred" } as const;
const MINUTE = 60_000;

describe("a preferred token", () => {
  it("is bound on a host with IMDSv2, says so, and is the bound one in memory", async () => {
    const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    const token = await identity.getToken(PREFERRED);
    assert.equal(token.tokenType, "mtls_pop");
    assert.ok(token.binding !== undefined);
    const again = await identity.getToken({ resource: VAULT });
    assert.deepEqual([again.fromCache, again.accessToken], [true, token.accessToken]);
    assert.equal((await identity.getToken(PREFERRED)).fromCache, true);
    assert.deepEqual([azure.counts(), sent.length], ["1+1+1+0", 0]);
  });

  for (const [source, environment] of ENVIRONMENT_SOURCES) {
    it(`is a bearer token of ${source}, says so, and is the one in memory`, async () => {
      const { identity: make, azure, sent } = await bearerHost(environment);
      const identity = make();
      const token = await identity.getToken(PREFERRED);
      assert.deepEqual([token.tokenType, token.source, token.binding], [
        "Bearer",
        source,
        undefined,
      ]);
      const again = await identity.getToken({ resource: VAULT, binding: "bearer" });
      assert.equal(again.fromCache, true);
      assert.equal(await identity.getToken(PREFERRED), again);
      assert.deepEqual([azure.sent.length, sent.length], [0, 1]);
    });
  }

  it("is a bearer token on a host with IMDSv1 only, both under one id", async () => {
    const { identity: make, azure, sent } = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    const token = await make().getToken(PREFERRED);
    assert.equal(token.tokenType, "Bearer");
    assert.deepEqual([azure.counts(), sent.length], ["1+0+0+0", 1]);
    const ids = [azure.sent[0]!.headers.get("x-ms-client-request-id"), token.correlationId];
    assert.deepEqual(ids, Array(2).fill(sent[0]!.headers["x-ms-client-request-id"]));
  });

  it("is a bearer token where no transport takes the host's keys", async () => {
    const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const transports = [{ ...azure.transport, accepts: () => false }];
    assert.equal((await make({ transports }).getToken(PREFERRED)).tokenType, "Bearer");
    assert.equal(sent.length, 1);
  });

  it("is asked for once by 50 callers, whichever it becomes", async () => {
    for (const hasV2 of [true, false]) {
      const host = await bearerHost(ENVIRONMENTS.Imds);
      if (!hasV2) withoutImdsV2(host);
      const identity = host.identity();
      const all = await Promise.all(Array.from({ length: 50 }, () => identity.getToken(PREFERRED)));
      assert.equal(new Set(all.map(({ accessToken }) => accessToken)).size, 1);
      assert.deepEqual(
        [host.azure.counts(), host.sent.length],
        hasV2 ? ["1+1+1+0", 0] : ["1+0+0+0", 1],
      );
    }
  });

  it("is tried to be bound once a minute at most, when a token is due", async () => {
    const { identity: make, azure, sent } = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    const identity = make();
    const ask = (n: number) =>
      identity.getToken({ ...PREFERRED, resource: `https://r${n}.example` });
    for (let n = 0; n < 5; n++) await ask(n);
    await azure.clock.advance(MINUTE - 1);
    await ask(5);
    assert.deepEqual([azure.counts(), sent.length], ["1+0+0+0", 6]);
    await azure.clock.advance(1);
    await ask(5);
    assert.equal(azure.counts(), "1+0+0+0", "none is due");
    await ask(6);
    await ask(7);
    assert.deepEqual([azure.counts(), sent.length], ["2+0+0+0", 8]);
    azure.always("getplatformmetadata", undefined);
    await azure.clock.advance(MINUTE);
    assert.equal((await ask(8)).tokenType, "mtls_pop");
    assert.equal((await ask(0)).tokenType, "mtls_pop", "the one in memory stood in only");
  });

  it("is tried again by a clock that was put back", async () => {
    const host = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    const { clock } = host.azure;
    let offset = 0;
    const identity = host.identity({
      clock: { now: () => clock.now() + offset, sleep: clock.sleep },
    });
    await identity.getToken(PREFERRED);
    host.azure.always("getplatformmetadata", undefined);
    host.azure.settings.certificateBackdate = 2 * HOUR;
    offset = -HOUR;
    assert.equal((await identity.getToken(PREFERRED)).tokenType, "mtls_pop");
  });

  it("becomes bound in the background once the host can, when its stand-in is due for renewal", async () => {
    const { identity: make, settings, azure, sent } = withoutImdsV2(
      await bearerHost(ENVIRONMENTS.Imds),
    );
    settings.source = numbered(8 * 3600);
    const identity = make();
    const refreshes = () => azure.events.filter(({ type }) => type === "refresh").length;
    assert.equal((await identity.getToken(PREFERRED)).tokenType, "Bearer");
    await azure.clock.advance(4 * HOUR);
    assert.equal((await identity.getToken(PREFERRED)).accessToken, "token-0");
    await until(() => refreshes() === 1);
    assert.equal((await identity.getToken(PREFERRED)).accessToken, "token-1", "it still can't");
    assert.deepEqual([azure.counts(), sent.length], ["2+0+0+0", 2]);
    azure.always("getplatformmetadata", undefined);
    await azure.clock.advance(4 * HOUR);
    assert.equal((await identity.getToken(PREFERRED)).accessToken, "token-1");
    await until(() => refreshes() === 2);
    assert.equal((await identity.getToken(PREFERRED)).tokenType, "mtls_pop");
    assert.deepEqual([azure.counts(), sent.length], ["3+1+1+0", 2]);
  });

  it("is the bearer token that somebody else asked for, where none can be bound", async () => {
    for (const environment of [ENVIRONMENTS.AppService, ENVIRONMENTS.Imds]) {
      const { identity: make, sent } = withoutImdsV2(await bearerHost(environment));
      const identity = make();
      const bearer = await identity.getToken({ resource: VAULT, binding: "bearer" });
      const token = await identity.getToken(PREFERRED);
      assert.deepEqual([token.accessToken, token.fromCache], [bearer.accessToken, true]);
      assert.equal(sent.length, 1);
    }
  });

  it("isn't the bearer token that somebody else asked for, where one can be bound", async () => {
    const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    await identity.getToken({ resource: VAULT, binding: "bearer" });
    assert.equal((await identity.getToken(PREFERRED)).tokenType, "mtls_pop");
    await azure.clock.advance(24 * HOUR);
    azure.always("token", status(503));
    await identity.getToken({ resource: VAULT, binding: "bearer" });
    await assert.rejects(settling(azure, identity.getToken(PREFERRED)), {
      code: "service_not_available",
    });
    assert.equal(sent.length, 2);
  });

  it("leaves who asks for a bearer token at the same time with one", async () => {
    const { identity: make, azure } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    const [either, bearer, bound] = await Promise.all([
      identity.getToken(PREFERRED),
      identity.getToken({ resource: VAULT, binding: "bearer" }),
      identity.getToken({ resource: VAULT }),
    ]);
    assert.deepEqual([either.tokenType, bearer.tokenType, bound.tokenType], [
      "mtls_pop",
      "Bearer",
      "mtls_pop",
    ]);
    assert.equal(azure.counts(), "1+1+1+0");
  });

  it("with claims or by force is asked for anew, of the kind there is", async () => {
    for (const hasV2 of [true, false]) {
      const host = await bearerHost(ENVIRONMENTS.Imds);
      if (!hasV2) withoutImdsV2(host);
      const identity = host.identity();
      const first = await identity.getToken(PREFERRED);
      for (const more of [{ claims: "{}" }, { forceRefresh: true }]) {
        const next = await identity.getToken({ ...PREFERRED, ...more });
        assert.equal(next.fromCache, false);
        assert.equal(next.tokenType, first.tokenType);
        assert.notEqual(next.accessToken, first.accessToken);
      }
    }
  });

  it("ends with the signal, whichever half is under way", async () => {
    for (const half of ["bound", "bearer"] as const) {
      const { identity: make, azure, settings, sent } = await bearerHost(ENVIRONMENTS.Imds);
      if (half === "bearer") azure.always("getplatformmetadata", status(404));
      else azure.always("getplatformmetadata", () => new Promise(() => {}));
      settings.source = () => new Promise(() => {});
      const controller = new AbortController();
      const reason = new Error("no longer wanted");
      const asked = make().getToken({ ...PREFERRED, signal: controller.signal });
      asked.catch(() => {});
      await until(() => (half === "bound" ? azure.sent : sent).length === 1);
      controller.abort(reason);
      await assert.rejects(asked, reason);
      await settle();
      assert.equal(azure.clock.sleepers, 0);
      assert.equal(sent.length, half === "bound" ? 0 : 1);
    }
  });
});

describe("a host with IMDSv2 that fails", () => {
  const failures = [
    [
      "metadata is throttled",
      "getplatformmetadata",
      status(429),
      "managed_identity_request_failed",
    ],
    ["metadata fails", "getplatformmetadata", status(500), "managed_identity_request_failed"],
    [
      "metadata is garbage",
      "getplatformmetadata",
      status(200, {}),
      "managed_identity_request_failed",
    ],
    ["the issuer is throttled", "issuecredential", status(429), "managed_identity_request_failed"],
    [
      "the issuer has no such API",
      "issuecredential",
      status(404),
      "managed_identity_request_failed",
    ],
    ["the issuer fails", "issuecredential", status(503), "managed_identity_request_failed"],
    ["the token endpoint is throttled", "token", status(429), "request_throttled"],
    ["the token endpoint fails", "token", status(503), "service_not_available"],
    [
      "the token endpoint refuses",
      "token",
      status(400, { error: "unauthorized_client" }),
      "unauthorized_client",
    ],
    [
      "the token endpoint isn't trusted",
      "token",
      wire({
        signals: [{ code: "SELF_SIGNED_CERT_IN_CHAIN", message: "self-signed certificate" }],
        stage: "start",
      }),
      "tls_server_untrusted",
    ],
  ] as const;
  for (const [name, endpoint, script, code] of failures) {
    it(`(${name}) gives an error, never a bearer token in its place`, async () => {
      const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
      azure.always(endpoint, script);
      const asked = make().getToken(PREFERRED);
      await assert.rejects(settling(azure, asked), { code });
      assert.equal(sent.length, 0);
    });
  }

  it("in the background leaves the bearer token as it is, unrenewed", async () => {
    const { identity: make, settings, azure, sent } = withoutImdsV2(
      await bearerHost(ENVIRONMENTS.Imds),
    );
    settings.source = numbered(8 * 3600);
    const identity = make();
    await identity.getToken(PREFERRED);
    await azure.clock.advance(4 * HOUR);
    azure.always("getplatformmetadata", status(400));
    assert.equal((await identity.getToken(PREFERRED)).accessToken, "token-0");
    await until(() => azure.events.some(({ type }) => type === "refresh"));
    assert.equal((await identity.getToken(PREFERRED)).accessToken, "token-0");
    assert.equal(sent.length, 1);
  });
});
