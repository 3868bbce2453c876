/**
 * Where events go: instruments and spans of OpenTelemetry.
 *
 * @module
 */

import type {
  Attributes,
  Counter,
  Histogram,
  Meter,
  ObservableCallback,
  Span,
  Tracer,
} from "@opentelemetry/api";
import { type Clock, systemClock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { EventListener, KeyboundEvent } from "../../src/events.ts";
import { VERSION } from "../../src/version.ts";
import { attributesOf, isError } from "./attributes.ts";
import { CertificateLives } from "./lives.ts";

/** OpenTelemetry's `TracerProvider`, by shape. */
export interface TelemetryTracers {
  /** A `Tracer`. */
  getTracer(name: string, version?: string): unknown;
}

/** OpenTelemetry's `MeterProvider`, by shape. */
export interface TelemetryMeters {
  /** A `Meter`. */
  getMeter(name: string, version?: string): unknown;
}

/** As much of `@opentelemetry/api` as is used, by shape. */
export interface TelemetryApi {
  /** Gives the tracer, and the `Span` that is active. */
  readonly trace: TelemetryTracers & { getActiveSpan(): unknown };
  /** Gives the meter. */
  readonly metrics: TelemetryMeters;
}

/** Options of {@linkcode openTelemetry}. */
export interface OpenTelemetryOptions {
  /** `@opentelemetry/api`, loaded already. @default the package, loaded now */
  api?: TelemetryApi;
  /** Where spans go. @default the global provider */
  tracerProvider?: TelemetryTracers;
  /** Where metrics go. @default the global provider */
  meterProvider?: TelemetryMeters;
  /** Time. @default the runtime's */
  clock?: Clock;
}

/** A listener for events, and an end to it. */
export interface Telemetry {
  /** For `onEvent` of identities and clients, of any number of them. */
  readonly onEvent: EventListener;
  /** Stops telling how long certificates live. */
  close(): void;
}

/** `SpanStatusCode.ERROR`, which is an enum of the package's. */
const ERROR = 2;

/** Bounds of the durations' buckets, in seconds, as the semantic conventions of HTTP have them. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

const SPANS = {
  token: "keybound.token.acquire",
  mint: "keybound.certificate.mint",
  probe: "keybound.key.probe",
} as const;

const COUNTERS = {
  adopt: ["keybound.certificate.adoptions", "{certificate}", "Certificates taken from the store"],
  cache: ["keybound.token.lookups", "{lookup}", "Looks for a token in memory"],
  evict: ["keybound.certificate.evictions", "{certificate}", "Certificates thrown away"],
  failure: ["keybound.request.failures", "{request}", "Requests that failed on the wire"],
  heal: ["keybound.certificate.heals", "{heal}", "Bindings that failed on the wire"],
  refresh: ["keybound.token.refreshes", "{refresh}", "Tokens refreshed in the background"],
  renew: ["keybound.certificate.renewals", "{renewal}", "Certificates renewed in the background"],
  retry: ["keybound.request.retries", "{request}", "Requests repeated"],
  store: ["keybound.store.failures", "{operation}", "Failures of the certificate store"],
} as const;

const DURATIONS = {
  token: ["keybound.token.duration", "Time that getting a token took"],
  mint: ["keybound.certificate.mint.duration", "Time that getting a certificate took"],
  probe: ["keybound.key.probe.duration", "Time that proving a key took"],
} as const;

type Timed = keyof typeof DURATIONS;
type Counted = keyof typeof COUNTERS;
type TimedEvent = Extract<KeyboundEvent, { readonly type: Timed }>;

/**
 * Spans for what takes time (a token's acquisition, a certificate's mint, a key's probe), counters
 * and histograms for everything, and a gauge of the life left in the certificate that ends first.
 * What else happens is noted on the span that is active. Nothing holds a token, a key, or what tells
 * whose they are; the correlation id is on spans only.
 *
 * Rejects with `missing_dependency` without `@opentelemetry/api`.
 *
 * @example
 * ```ts
 * const telemetry = await openTelemetry();
 * const identity = managedIdentity({ ...await detect(), onEvent: telemetry.onEvent });
 * ```
 */
export async function openTelemetry(options: OpenTelemetryOptions = {}): Promise<Telemetry> {
  const { clock = systemClock(), api = await loadApi() } = options;
  const tracers = options.tracerProvider ?? api.trace;
  const tracer = tracers.getTracer("keybound", VERSION) as Tracer;
  const meter = (options.meterProvider ?? api.metrics).getMeter("keybound", VERSION) as Meter;
  const counters = mapped(
    COUNTERS,
    ([name, unit, description]) => meter.createCounter(name, { unit, description }),
  ) as Record<Counted, Counter>;
  const advice = { explicitBucketBoundaries: BOUNDS };
  const durations = mapped(
    DURATIONS,
    ([name, description]) => meter.createHistogram(name, { unit: "s", description, advice }),
  ) as Record<Timed, Histogram>;
  const lives = new CertificateLives();
  const gauge = meter.createObservableGauge("keybound.certificate.remaining_life", {
    unit: "s",
    description: "Life left in the certificate that ends first",
  });
  const observe: ObservableCallback = (result) => {
    const left = lives.shortest(clock.now());
    if (left !== undefined) result.observe(left / 1000);
  };
  gauge.addCallback(observe);

  const time = (event: TimedEvent, attributes: Attributes) => {
    const { type, duration, time, correlationId } = event;
    durations[type].record(duration / 1000, attributes);
    const span = tracer.startSpan(SPANS[type], {
      // Dates, since a bare number may be taken for the runtime's monotonic time.
      startTime: new Date(time - duration),
      attributes: { ...attributes, "keybound.correlation_id": correlationId },
    });
    if (isError(event)) span.setStatus({ code: ERROR });
    span.end(new Date(time));
  };

  return {
    onEvent(event) {
      lives.note(event);
      const attributes = attributesOf(event);
      if (isTimed(event)) return time(event, attributes);
      counters[event.type].add(1, attributes);
      // A hit is no news to who looks at a span.
      if (event.type === "cache") return;
      (api.trace.getActiveSpan() as Span | undefined)?.addEvent(`keybound.${event.type}`, {
        ...attributes,
        "keybound.correlation_id": event.correlationId,
      }, new Date(event.time));
    },
    close() {
      gauge.removeCallback(observe);
    },
  };
}

/** The package. Rejects with `missing_dependency`. */
export async function loadApi(
  load: () => Promise<TelemetryApi> = () => import("@opentelemetry/api"),
): Promise<TelemetryApi> {
  try {
    return await load();
  } catch (cause) {
    throw new KeyboundError(
      "missing_dependency",
      "Telemetry needs one more package: npm install @opentelemetry/api.",
      { cause },
    );
  }
}

function isTimed(event: KeyboundEvent): event is TimedEvent {
  return event.type in DURATIONS;
}

function mapped<Name extends string, From, To>(
  of: Readonly<Record<Name, From>>,
  make: (from: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries<From>(of).map(([name, from]) => [name, make(from)]));
}
