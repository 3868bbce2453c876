/**
 * Whether the metadata service answers, where tokens come from and what the host can do.
 *
 * @module
 */

import type { DetectedHost } from "../../backends/detect.ts";
import type { Identity } from "../../src/identity.ts";
import { credentialUrl, metadataBase } from "../../src/imds/endpoint.ts";
import type { Capabilities } from "../../src/sources/source.ts";
import { reasonOf } from "../host.ts";
import { type Finding, finding } from "./finding.ts";

/** What a server said of the time. */
export interface TimeSeen {
  /** Who said it. */
  readonly server: string;
  /** Milliseconds by which its clock is ahead of ours. */
  readonly ahead: number;
}

/** What was seen of the metadata service. */
export interface MetadataSeen {
  /** Where it should be. */
  readonly base: string;
  /** Status of its answer; `undefined` where there was none. */
  readonly status?: number;
  /** Milliseconds until the answer. */
  readonly duration?: number;
  /** What its `Date` header says. */
  readonly time?: TimeSeen;
}

/** Milliseconds that the metadata service has. */
const TIMEOUT = 3000;

/**
 * Asks the metadata service for what a binding begins with, as an identity of this host would. Rejects
 * with `invalid_managed_identity_endpoint`, or the signal's reason.
 */
export async function askMetadata(
  { environment = {}, fetch }: Pick<DetectedHost, "environment" | "fetch">,
  identity: Identity,
  signal: AbortSignal,
): Promise<MetadataSeen> {
  const base = metadataBase(environment);
  const start = Date.now();
  try {
    const response = await fetch(credentialUrl(base, "getplatformmetadata", identity), {
      headers: { Metadata: "true", "x-ms-client-request-id": crypto.randomUUID() },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
    });
    const duration = Date.now() - start;
    const time = timeSeen("the metadata service", response.headers, start + duration / 2);
    await response.body?.cancel();
    return { base, status: response.status, duration, ...(time === undefined ? {} : { time }) };
  } catch {
    signal.throwIfAborted();
    return { base };
  }
}

/** What a `Date` header says, which has seconds only. `at`: ours, milliseconds since the Unix epoch. */
export function timeSeen(server: string, headers: Headers, at: number): TimeSeen | undefined {
  const told = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(told) ? undefined : { server, ahead: told + 500 - at };
}

/** The metadata service, for a host whose tokens come from there or from elsewhere. */
export function metadataFinding(
  { base, status, duration }: MetadataSeen,
  { source }: Pick<Capabilities, "source">,
): Finding {
  const check = "metadata service";
  const needed = source === undefined || source === "Imds";
  if (status === undefined) {
    return needed
      ? finding(
        check,
        "failure",
        `${base} doesn't answer`,
        "Is this an Azure host? For an emulator, set AZURE_POD_IDENTITY_AUTHORITY_HOST.",
      )
      : finding(check, "info", `${base} doesn't answer; ${source} doesn't need it`);
  }
  const answer = `${base} answered ${status} in ${duration} ms`;
  if (status === 200) return finding(check, "ok", answer);
  if (!needed) return finding(check, "info", `${answer}; ${source} doesn't need it`);
  if (status === 404) return finding(check, "info", `${answer}: it has no version 2`);
  if (status === 429 || status >= 500) {
    return finding(check, "warning", answer, "Try again later: it is busy or out of order.");
  }
  return finding(check, "failure", answer, "Is the identity assigned to this host?");
}

/** Where tokens come from, and whether they can be bound. */
export function capabilityFindings(
  { source, boundTokens, reason, strength }: Capabilities,
): Finding[] {
  if (source === undefined) {
    return [finding(
      "source",
      "failure",
      reason ?? "This host has no managed identity.",
      "On a laptop, try the emulator, or the Azure CLI as the source: 'keybound/azure-cli'.",
    )];
  }
  return [
    finding("source", "ok", source),
    boundTokens
      ? finding("capabilities", "ok", `bound tokens; made for keys of strength ${strength}`)
      : finding(
        "capabilities",
        "warning",
        `bearer tokens only: ${reason ?? "no reason was given"}`,
        "Ask with binding 'preferred', or use a host that can bind tokens.",
      ),
  ];
}

/** A check that could not be made. */
export function brokenCheck(check: string, error: unknown, advice = ""): Finding {
  return finding(check, "failure", reasonOf(error), advice);
}
