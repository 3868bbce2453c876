/**
 * What is told of an event: each attribute by name, none passed on unseen. Names are those of the
 * OpenTelemetry semantic conventions where they have one, else begin with `keybound.`.
 *
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import type { KeyboundEvent } from "../../src/events.ts";

/** Attributes of few values, fit for metrics. The masked alias isn't among them. */
export function attributesOf(event: KeyboundEvent): Attributes {
  switch (event.type) {
    case "adopt":
    case "token":
      return {};
    case "cache":
      return { "keybound.cache.outcome": event.outcome };
    case "evict":
      return { "keybound.evict.reason": event.reason };
    case "failure":
      return {
        "keybound.endpoint": event.endpoint,
        "error.type": event.class,
        ...(event.alert === undefined ? {} : { "keybound.tls.alert": event.alert }),
      };
    case "heal":
      return { "keybound.heal.cause": event.cause, "keybound.heal.outcome": event.outcome };
    case "mint":
      return {
        "keybound.mint.reason": event.reason,
        "keybound.key.strength": event.strength,
        "keybound.key.attested": event.attested,
      };
    case "probe":
      return {
        "keybound.probe.trigger": event.trigger,
        ...(isError(event) ? { "error.type": "key_unusable" } : {}),
      };
    case "refresh":
    case "renew":
      return isError(event) ? { "error.type": event.code ?? "_OTHER" } : {};
    case "retry":
      return {
        "keybound.endpoint": event.endpoint,
        "http.request.resend_count": event.attempt,
        ...(event.status === undefined
          ? { "error.type": "timeout" }
          : { "http.response.status_code": event.status }),
      };
    case "store":
      return { "keybound.store.operation": event.operation, "error.type": event.code };
  }
}

/** Whether something failed. */
export function isError(event: KeyboundEvent): boolean {
  switch (event.type) {
    case "probe":
      return event.outcome === "dead";
    case "refresh":
    case "renew":
      return event.outcome === "failed";
    default:
      return event.type === "failure" || event.type === "store";
  }
}
