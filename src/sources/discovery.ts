/**
 * Whether there is a metadata service and what it can do (protocol.md section 7.9).
 *
 * @module
 */

import * as v from "valibot";
import { type Answer, exchange } from "../http.ts";
import type { Identity } from "../identity.ts";
import { credentialUrl } from "../imds/endpoint.ts";
import { parseJson } from "../parse.ts";
import type { KeyStrength } from "../keys.ts";
import { KeyboundError } from "../errors.ts";
import { imdsPolicy, imdsProbePolicy, type RetryPolicy } from "../policy/retry.ts";
import type { Clock } from "../clock.ts";
import { imdsProbeUrl } from "./imds_v1.ts";
import type { BearerSourceName, Capabilities } from "./source.ts";

/** What discovery needs. */
export interface Discovery {
  /** Scheme, host and port of the metadata service. */
  readonly base: string;
  /** Plain fetch. */
  readonly fetch: typeof globalThis.fetch;
  /** Time. */
  readonly clock: Clock;
  /** Randomness in [0, 1). */
  readonly random: () => number;
  /** Milliseconds for one attempt. */
  readonly timeout: number;
  /** The strongest key this host can make. */
  readonly keyStrength: (() => Promise<KeyStrength>) | undefined;
}

/** What is asked, and until when. */
export interface DiscoveryQuery {
  /** Whose selector is sent along. */
  readonly identity: Identity;
  /** UUID of the discovery. */
  readonly correlationId: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const Compute = v.looseObject({
  osType: v.string(),
  securityProfile: v.looseObject({ securityType: v.string() }),
});

/** What a host with a source of the environment can do: give bearer tokens. */
export function environmentCapabilities(source: BearerSourceName): Capabilities {
  return {
    source,
    boundTokens: false,
    reason: `The source ${source} issues no bound tokens.`,
    strength: "none",
  };
}

/** What the metadata service can do, as probes find out. Rejects with the signal's reason. */
export async function discoverMetadataService(
  discovery: Discovery,
  query: DiscoveryQuery,
): Promise<Capabilities> {
  const { base, keyStrength } = discovery;
  const v2 = await probe(
    discovery,
    credentialUrl(base, "getplatformmetadata", query.identity),
    query,
  );
  if (v2 === undefined) {
    // A provider that fails now may do later, and there are software keys everywhere.
    const strength = await keyStrength?.().catch(() => undefined) ?? "software";
    return { source: "Imds", boundTokens: true, strength };
  }
  const v1 = await probe(discovery, imdsProbeUrl(base, query.identity), query);
  if (v1 !== undefined) {
    return { boundTokens: false, reason: `IMDSv2: ${v2}. IMDSv1: ${v1}.`, strength: "none" };
  }
  return {
    source: "Imds",
    boundTokens: false,
    reason: `IMDSv2: ${v2}. IMDSv1 issues no bound tokens.`,
    strength: await isTrustedWindows(discovery, query) ? "software" : "none",
  };
}

/** Why this version isn't there; `undefined` where it is. */
async function probe(
  discovery: Discovery,
  url: string,
  query: DiscoveryQuery,
): Promise<string | undefined> {
  const { correlationId, signal } = query;
  try {
    // Without `Metadata: true`, on purpose: only the metadata service itself objects to that.
    const headers = { "x-ms-client-request-id": correlationId };
    const { status } = await ask(discovery, url, headers, imdsProbePolicy, signal);
    return status === 400 ? undefined : `HTTP ${status} instead of 400`;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof KeyboundError ? error.message.replace(/\.$/, "") : "no connection";
  }
}

/** Whether this is a Windows host of the kinds that can come to have KeyGuard. */
async function isTrustedWindows(
  discovery: Discovery,
  { signal }: DiscoveryQuery,
): Promise<boolean> {
  const url = `${discovery.base}/metadata/instance/compute?api-version=2021-02-01`;
  try {
    const { status, text } = await ask(discovery, url, { Metadata: "true" }, imdsPolicy, signal);
    const compute = status === 200 ? parseJson(Compute, text) : undefined;
    return compute !== undefined && /^windows$/i.test(compute.osType) &&
      /^(TrustedLaunch|ConfidentialVM)$/i.test(compute.securityProfile.securityType);
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

function ask(
  { fetch, clock, random, timeout }: Discovery,
  url: string,
  headers: Readonly<Record<string, string>>,
  policy: RetryPolicy,
  signal: AbortSignal,
): Promise<Answer> {
  return exchange(
    (attempt) => fetch(url, { headers, redirect: "manual", signal: attempt }),
    { policy, timeout, clock, random, signal },
  );
}
