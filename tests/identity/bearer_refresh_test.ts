/**
 * Bearer tokens that are renewed before they end (protocol.md sections 6.7, 10.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KeyboundEvent } from "../../src/events.ts";
import { HOUR, settle } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import { BEARER, bearerHost, never, numbered, SOURCES } from "./support/bearer_host.ts";

const MINUTE = 60_000;

/** A host and an identity with a token that lives 8 hours and is due for a refresh. */
async function due(environment = SOURCES[0]![1]) {
  const host = await bearerHost(environment);
  host.settings.source = numbered(8 * 3600);
  const identity = host.identity();
  const first = await identity.getToken(BEARER);
  assert.equal(first.refreshOn, host.azure.clock.now() + 4 * HOUR);
  await host.azure.clock.advance(4 * HOUR);
  const ask = async () => (await identity.getToken(BEARER)).accessToken;
  const refreshes = () => host.azure.events.filter(({ type }) => type === "refresh");
  return { ...host, identity, ask, refreshes, clock: host.azure.clock };
}

const codes = (events: readonly KeyboundEvent[]) =>
  events.flatMap((event) => event.type === "refresh" ? [event.code] : []);

describe("a bearer token past half of its life", () => {
  it("is renewed in the background, of every source, callers not waiting", async () => {
    for (const [source, environment] of SOURCES) {
      const { ask, refreshes, sent } = await due(environment);
      assert.equal(await ask(), "token-0");
      await until(() => refreshes().length === 1);
      assert.equal(await ask(), "token-1", source);
      assert.equal(sent.length, 2);
    }
  });

  it("isn't before that, nor ever where it lives 2 hours", async () => {
    const { identity: make, settings, sent, azure: { clock } } = await bearerHost();
    const identity = make();
    settings.source = numbered(7200);
    assert.equal((await identity.getToken(BEARER)).refreshOn, undefined);
    await clock.advance(115 * MINUTE - 1);
    assert.equal((await identity.getToken(BEARER)).fromCache, true);
    settings.source = numbered(7201);
    const other = { resource: "https://o.example", binding: "bearer" } as const;
    await identity.getToken(other);
    await clock.advance(HOUR + 499);
    await identity.getToken(other);
    await settle();
    assert.equal(sent.length, 2);
    await clock.advance(1);
    await identity.getToken(other);
    await until(() => sent.length === 3);
  });

  it("is renewed a little earlier or later, as chance has it", async () => {
    for (const [random, at] of [[0, 4 * HOUR - 5 * MINUTE], [0.999_999, 4 * HOUR + 5 * MINUTE]]) {
      const { identity: make, settings, sent, azure: { clock } } = await bearerHost();
      settings.source = numbered(8 * 3600);
      const identity = make({ random: () => random! });
      await identity.getToken(BEARER);
      await clock.advance(at! - 1000);
      await identity.getToken(BEARER);
      await settle();
      assert.equal(sent.length, 1);
      await clock.advance(1000);
      await identity.getToken(BEARER);
      await until(() => sent.length === 2);
    }
  });

  it("is served within microtasks by a clock that stands still and a source that is silent", async () => {
    const { identity, settings, clock, sent } = await due();
    settings.source = never;
    const hit = identity.getToken(BEARER);
    let token: string | undefined;
    hit.then(({ accessToken }) => token = accessToken);
    await Promise.resolve();
    assert.equal(token, "token-0");
    assert.equal(identity.getToken(BEARER), hit, "the same promise, made long before");
    await until(() => sent.length === 2);
    assert.equal(identity.getToken(BEARER), hit);
    assert.ok(clock.sleepers > 0, "only the request in the background waits for time");
  });

  it("outlives a source that is down, which is asked once a minute", async () => {
    const { ask, settings, clock, sent, refreshes } = await due();
    settings.source = () => new Response("{}", { status: 400 });
    for (let minute = 1; minute <= 3; minute++) {
      for (let i = 0; i < 20; i++) assert.equal(await ask(), "token-0");
      await until(() => refreshes().length === minute);
      assert.equal(sent.length, 1 + minute);
      await clock.advance(MINUTE - 1);
      assert.equal(await ask(), "token-0");
      await settle();
      assert.equal(sent.length, 1 + minute);
      await clock.advance(1);
    }
    assert.deepEqual(codes(refreshes()), Array(3).fill("managed_identity_request_failed"));
  });

  it("that has come to its end is waited for again, failures included", async () => {
    const { identity, settings, clock } = await due();
    await clock.advance(4 * HOUR - 5 * MINUTE);
    settings.source = () => new Response("{}", { status: 400 });
    await assert.rejects(identity.getToken(BEARER), { code: "managed_identity_request_failed" });
    settings.source = numbered();
    assert.equal((await identity.getToken(BEARER)).fromCache, false);
  });

  it("is renewed though the caller who set it off leaves", async () => {
    const { identity, ask, refreshes, settings, sent } = await due();
    let release = () => {};
    settings.source = async (i, request, signal) => {
      await new Promise<void>((resolve) => release = resolve);
      signal.throwIfAborted();
      return await numbered()(i, request, signal);
    };
    const controller = new AbortController();
    await identity.getToken({ ...BEARER, signal: controller.signal });
    await until(() => sent.length === 2);
    controller.abort();
    release();
    await until(() => refreshes().length === 1);
    assert.deepEqual(codes(refreshes()), [undefined]);
    assert.equal(await ask(), "token-1");
  });

  it("isn't renewed by an identity that has been closed meanwhile", async () => {
    const { identity, refreshes, settings, sent } = await due();
    const signals: AbortSignal[] = [];
    settings.source = (_i, _request, signal) => {
      signals.push(signal);
      return never();
    };
    await identity.getToken(BEARER);
    await until(() => sent.length === 2);
    await identity.close();
    assert.equal(signals[0]!.aborted, true);
    await until(() => refreshes().length === 1);
    assert.deepEqual(codes(refreshes()), ["closed"]);
  });

  it("isn't replaced by an older one when a challenge overtakes its renewal", async () => {
    const { identity, ask, refreshes, settings, sent } = await due();
    let release = () => {};
    settings.source = async (i, request, signal) => {
      if (i === 1) await new Promise<void>((resolve) => release = resolve);
      return await numbered()(i, request, signal);
    };
    await identity.getToken(BEARER);
    await until(() => sent.length === 2);
    const challenged = await identity.getToken({ ...BEARER, claims: "{}" });
    assert.equal(challenged.accessToken, "token-2");
    release();
    await until(() => refreshes().length === 1);
    assert.equal(await ask(), "token-2");
  });
});
