/**
 * Spans and metrics, seen through the real SDK.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { context, type ContextManager, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { detect } from "../../../backends/detect.ts";
import { type Emulator, spawnEmulator, unavailable } from "../../../emulator/mod.ts";
import { type KeyboundEvent, managedIdentity } from "../../../mod.ts";
import { openTelemetry } from "../../../plugins/opentelemetry/mod.ts";
import { loadApi } from "../../../plugins/opentelemetry/telemetry.ts";
import { manualClock } from "../../support/clock.ts";

const ID = "5b1f8a6e-0a54-4b0b-a4a7-0b3f3b0c6a55";
const NOW = Date.UTC(2030, 0, 1);
const BASE = { time: NOW, correlationId: ID, alias: "…ab#att=0(12)" };

/** One of each, and what is to be seen of it. */
const EVENTS: readonly KeyboundEvent[] = [
  { ...BASE, type: "cache", outcome: "miss" },
  { ...BASE, type: "probe", trigger: "mint", outcome: "dead", duration: 5 },
  { ...BASE, type: "probe", trigger: "load", outcome: "alive", duration: 5 },
  {
    ...BASE,
    type: "mint",
    reason: "cold",
    strength: "software",
    attested: false,
    notAfter: NOW + 7_000,
    duration: 250,
  },
  { ...BASE, type: "adopt", notAfter: NOW + 9_000 },
  { ...BASE, type: "retry", endpoint: "token", attempt: 1, delay: 1000, status: 503 },
  { ...BASE, type: "retry", endpoint: "source", attempt: 2, delay: 1000, status: undefined },
  {
    ...BASE,
    type: "failure",
    endpoint: "token",
    class: "credential_rejected",
    alert: "bad_certificate",
  },
  { ...BASE, type: "heal", cause: "credential_rejected", outcome: "started" },
  { ...BASE, type: "token", duration: 1500, expiresOn: NOW + 1 },
  { ...BASE, type: "refresh", outcome: "failed", code: "request_timeout" },
  { ...BASE, type: "renew", outcome: "done" },
  { ...BASE, type: "store", operation: "put", code: "store_unavailable" },
];

function sdk() {
  const spans = new InMemorySpanExporter();
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(spans)],
  });
  const reader = new PeriodicExportingMetricReader({
    exporter: metrics,
    exportIntervalMillis: 3_600_000,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  return {
    tracerProvider,
    meterProvider,
    spans,
    /** The metrics by name: unit and points. */
    async collected() {
      metrics.reset();
      await meterProvider.forceFlush();
      const all = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap((scope) => scope.metrics);
      return new Map(all.map((metric) => [metric.descriptor.name, {
        unit: metric.descriptor.unit,
        points: metric.dataPoints.map(({ attributes, value }) => [
          attributes,
          typeof value === "number" ? value : (value as { sum?: number }).sum,
        ]),
      }]));
    },
    async close() {
      await meterProvider.shutdown();
      await tracerProvider.shutdown();
    },
  };
}

describe("telemetry", () => {
  it("says what to install where the package isn't there", async () => {
    const missing = () => Promise.reject(new Error("not found"));
    await assert.rejects(loadApi(missing), {
      code: "missing_dependency",
      message: /npm install @opentelemetry\/api/,
    });
  });

  it("makes spans of what takes time, and marks a dead key", async () => {
    const { spans, close, ...providers } = sdk();
    const { onEvent, close: end } = await openTelemetry(providers);
    EVENTS.forEach(onEvent);
    const seen = spans.getFinishedSpans().map((span) => [
      span.name,
      span.endTime[0] * 1000 + span.endTime[1] / 1e6 - NOW,
      span.duration[0] * 1000 + span.duration[1] / 1e6,
      span.status.code,
      span.attributes,
    ]);
    const id = { "keybound.correlation_id": ID };
    assert.deepEqual(seen, [
      ["keybound.key.probe", 0, 5, 2, {
        ...id,
        "keybound.probe.trigger": "mint",
        "error.type": "key_unusable",
      }],
      ["keybound.key.probe", 0, 5, 0, { ...id, "keybound.probe.trigger": "load" }],
      ["keybound.certificate.mint", 0, 250, 0, {
        ...id,
        "keybound.mint.reason": "cold",
        "keybound.key.strength": "software",
        "keybound.key.attested": false,
      }],
      ["keybound.token.acquire", 0, 1500, 0, id],
    ]);
    end();
    await close();
  });

  it("counts everything, in the units of the conventions", async () => {
    const { collected, close, ...providers } = sdk();
    const { onEvent } = await openTelemetry({ ...providers, clock: manualClock(NOW) });
    EVENTS.forEach(onEvent);
    const metrics = await collected();
    assert.deepEqual(Object.fromEntries([...metrics].map(([name, { unit }]) => [name, unit])), {
      "keybound.certificate.adoptions": "{certificate}",
      "keybound.certificate.heals": "{heal}",
      "keybound.certificate.mint.duration": "s",
      "keybound.certificate.remaining_life": "s",
      "keybound.certificate.renewals": "{renewal}",
      "keybound.key.probe.duration": "s",
      "keybound.request.failures": "{request}",
      "keybound.request.retries": "{request}",
      "keybound.store.failures": "{operation}",
      "keybound.token.duration": "s",
      "keybound.token.lookups": "{lookup}",
      "keybound.token.refreshes": "{refresh}",
    });
    const points = (name: string) => metrics.get(name)!.points;
    assert.deepEqual(points("keybound.token.duration"), [[{}, 1.5]]);
    assert.deepEqual(points("keybound.token.lookups"), [[{ "keybound.cache.outcome": "miss" }, 1]]);
    assert.deepEqual(points("keybound.request.retries"), [
      [{
        "keybound.endpoint": "token",
        "http.request.resend_count": 1,
        "http.response.status_code": 503,
      }, 1],
      [{
        "keybound.endpoint": "source",
        "http.request.resend_count": 2,
        "error.type": "timeout",
      }, 1],
    ]);
    assert.deepEqual(points("keybound.request.failures"), [[{
      "keybound.endpoint": "token",
      "error.type": "credential_rejected",
      "keybound.tls.alert": "bad_certificate",
    }, 1]]);
    assert.deepEqual(points("keybound.token.refreshes"), [[
      { "error.type": "request_timeout" },
      1,
    ]]);
    assert.deepEqual(points("keybound.certificate.renewals"), [[{}, 1]]);
    await close();
  });

  it("tells the life left in the certificate that ends first, until it is gone or told to stop", async () => {
    const { collected, close, ...providers } = sdk();
    const clock = manualClock(NOW);
    const { onEvent, close: end } = await openTelemetry({ ...providers, clock });
    const left = async () => {
      const gauge = (await collected()).get("keybound.certificate.remaining_life");
      return gauge?.points.map(([, value]) => value);
    };
    assert.equal(await left(), undefined);
    onEvent({ ...BASE, type: "adopt", notAfter: NOW + 9_000 });
    onEvent({ ...BASE, alias: "another", type: "adopt", notAfter: NOW + 7_000 });
    assert.deepEqual(await left(), [7]);
    await clock.advance(8_000);
    assert.deepEqual(await left(), [-1], "an expired one is news");
    onEvent({ ...BASE, alias: "another", type: "evict", reason: "key_dead", tokens: 1 });
    assert.deepEqual(await left(), [1]);
    end();
    onEvent({ ...BASE, type: "adopt", notAfter: NOW + 20_000 });
    assert.notDeepEqual(await left(), [12]);
    await close();
  });

  it("notes the rest on the span that is active", async () => {
    const { spans, close, ...providers } = sdk();
    const { onEvent } = await openTelemetry(providers);
    const span = providers.tracerProvider.getTracer("test").startSpan("caller");
    context.setGlobalContextManager(fixedContext(span));
    try {
      EVENTS.forEach(onEvent);
    } finally {
      context.disable();
    }
    span.end();
    const caller = spans.getFinishedSpans().find(({ name }) => name === "caller")!;
    assert.deepEqual(caller.events.map(({ name }) => name), [
      "keybound.adopt",
      "keybound.retry",
      "keybound.retry",
      "keybound.failure",
      "keybound.heal",
      "keybound.refresh",
      "keybound.renew",
      "keybound.store",
    ]);
    await close();
  });

  it("passes nothing on that it doesn't know, and never whose it is", async () => {
    const { spans, collected, close, ...providers } = sdk();
    const { onEvent } = await openTelemetry(providers);
    const span = providers.tracerProvider.getTracer("test").startSpan("caller");
    context.setGlobalContextManager(fixedContext(span));
    try {
      for (const event of EVENTS) {
        const more = { accessToken: "S3CRET", claims: "S3CRET", alias: "S3CRET", url: "S3CRET" };
        onEvent({ ...event, ...more } as KeyboundEvent);
      }
    } finally {
      context.disable();
    }
    span.end();
    const all = spans.getFinishedSpans().map(({ name, attributes, events }) =>
      JSON.stringify([name, attributes, events])
    );
    assert.equal(all.length, 5);
    assert.ok(!all.join("\n").includes("S3CRET"));
    const metrics = JSON.stringify([...await collected()]);
    assert.ok(!metrics.includes("S3CRET"));
    assert.ok(!metrics.includes(ID), "a metric with an id of its own each time is none");
    await close();
  });
});

describe("telemetry of an identity", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await spawnEmulator({ state: { acceptEc: true } });
  });
  after(() => emulator.close());

  it("shows an acquisition from end to end, and no secret of it", async () => {
    const { spans, collected, close, ...providers } = sdk();
    const telemetry = await openTelemetry(providers);
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await detect({ ca: emulator.ca, environment });
    const identity = managedIdentity({
      ...host,
      keyAlgorithm: "P-256",
      onEvent: telemetry.onEvent,
    });
    await emulator.script("token", unavailable());
    const asked = { resource: "https://vault.azure.net" };
    const { accessToken, binding } = await identity.getToken(asked);
    await identity.getToken(asked);
    const names = spans.getFinishedSpans().map(({ name }) => name);
    assert.ok(names.includes("keybound.certificate.mint"));
    assert.equal(names.at(-1), "keybound.token.acquire");
    const metrics = await collected();
    assert.deepEqual(
      metrics.get("keybound.token.lookups")!.points.map(([attributes]) => attributes),
      [{ "keybound.cache.outcome": "miss" }, { "keybound.cache.outcome": "hit" }],
    );
    assert.equal(metrics.get("keybound.request.retries")!.points[0]![1], 1);
    const [[, life]] = metrics.get("keybound.certificate.remaining_life")!.points as [
      [unknown, number],
    ];
    assert.ok(life > 6 * 86_400 && life <= 7 * 86_400, `${life} s`);
    const all = JSON.stringify([
      spans.getFinishedSpans().map(({ name, attributes, events }) => [name, attributes, events]),
      [...metrics],
    ]);
    const { thumbprint } = binding.credential;
    for (const secret of [...accessToken.split("."), binding.clientId, thumbprint]) {
      assert.ok(!all.includes(secret));
    }
    telemetry.close();
    await identity.close();
    await host.close();
    await close();
  });
});

/** A context in which this span is the active one, everywhere. */
function fixedContext(span: Parameters<typeof trace.setSpan>[1]): ContextManager {
  const active = trace.setSpan(ROOT_CONTEXT, span);
  const manager: ContextManager = {
    active: () => active,
    with: (_context, work, self, ...args) => work.call(self as never, ...args),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}
