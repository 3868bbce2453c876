/**
 * The example of the documentation, with providers registered as an application registers them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { metrics, trace } from "@opentelemetry/api";
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
import { type Emulator, spawnEmulator } from "../../../emulator/mod.ts";
import { managedIdentity } from "../../../mod.ts";
import { openTelemetry } from "../../../plugins/opentelemetry/mod.ts";
import { assertExample } from "../../edge/support/examples.ts";

describe("the example of OpenTelemetry", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await spawnEmulator();
  });
  after(async () => {
    trace.disable();
    metrics.disable();
    await emulator.close();
  });

  it("runs: what is registered gets spans and metrics", async () => {
    const spans = new InMemorySpanExporter();
    const seen = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const spanProcessors = [new SimpleSpanProcessor(spans)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
    const reader = new PeriodicExportingMetricReader({ exporter: seen });
    const meterProvider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(meterProvider);
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await detect({ ca: emulator.ca, environment });
    // Example opentelemetry
    const telemetry = await openTelemetry();
    const identity = managedIdentity({ ...host, onEvent: telemetry.onEvent });
    await identity.getToken({ resource: "https://vault.azure.net" });
    // End of example
    assert.ok(spans.getFinishedSpans().some(({ name }) => name === "keybound.token.acquire"));
    await meterProvider.forceFlush();
    const names = seen.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap((scope) => scope.metrics.map(({ descriptor }) => descriptor.name));
    assert.ok(names.includes("keybound.certificate.remaining_life"));
    telemetry.close();
    await identity.close();
    await host.close();
    await meterProvider.shutdown();
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/opentelemetry.md", "opentelemetry");
  });
});
