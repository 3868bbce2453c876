/**
 * OpenTelemetry spans and metrics from the library's events.
 *
 * @example
 * ```ts
 * import { managedIdentity } from "keybound";
 * import { detect } from "keybound/detect";
 * import { openTelemetry } from "keybound/opentelemetry";
 *
 * const telemetry = await openTelemetry();
 * const identity = managedIdentity({ ...await detect(), onEvent: telemetry.onEvent });
 * ```
 *
 * @module
 */

export {
  openTelemetry,
  type OpenTelemetryOptions,
  type Telemetry,
  type TelemetryApi,
  type TelemetryMeters,
  type TelemetryTracers,
} from "./telemetry.ts";
