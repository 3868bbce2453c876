/**
 * The region this host is in: asked of its environment, then of its metadata service (protocol.md
 * section 8.4).
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import type { Clock } from "../clock.ts";
import { isKeyboundError } from "../errors.ts";
import { type Answer, exchange } from "../http.ts";
import { regionPolicy, type RetryPolicy } from "../policy/retry.ts";
import { SingleFlight } from "../single_flight.ts";
import type { Environment } from "../sources/source.ts";
import { chooseRegion, offeredVersion, regionOfEnvironment, regionOfMetadata } from "./region.ts";

/** What finding out takes. */
export interface RegionSetting {
  /** The option as it was given. */
  readonly configured: string | undefined;
  /** Environment variables. */
  readonly environment: Environment;
  /** Scheme, host and port of the metadata service. */
  readonly base: string;
  /** Plain fetch. */
  readonly fetch: typeof globalThis.fetch;
  /** Time. */
  readonly clock: Clock;
  /** Randomness in [0, 1). */
  readonly random: () => number;
}

/** For one request to the metadata service, in milliseconds. */
const TIMEOUT = 2000;

/** How long it is believed that there is no region to be found, in milliseconds. */
const NEGATIVE_LIFE = 5 * 60_000;

const VERSION = "2021-02-01";

/** A host without metadata service is silent: once is enough to know. */
const POLICY: RetryPolicy = {
  ...regionPolicy,
  limit: (first) => first.status === undefined ? 0 : regionPolicy.limit(first),
};

/** The region of one client, found out at most once; a failure is believed for 5 minutes. */
export class RegionDiscovery {
  readonly #setting: RegionSetting;
  readonly #flights = new SingleFlight<string | undefined>();
  #found: string | undefined;
  #missingSince: number | undefined;

  /** Nothing is asked yet. */
  constructor(setting: RegionSetting) {
    this.#setting = setting;
  }

  /**
   * The region to use; `undefined` for the global endpoint. Never rejects but with the signal's
   * reason: the global endpoint always does.
   */
  async region(context: FlightContext): Promise<string | undefined> {
    const { configured, environment, clock } = this.#setting;
    const choice = chooseRegion(configured, environment);
    if (choice.kind === "global") return undefined;
    if (choice.kind === "named") return choice.region;
    const known = this.#found ?? regionOfEnvironment(environment);
    const since = this.#missingSince;
    const now = clock.now();
    if (known !== undefined) return known;
    if (since !== undefined && now >= since && now - since < NEGATIVE_LIFE) return undefined;
    return await this.#flights.run("region", async (signal) => {
      const found = await this.#ask({ ...context, signal });
      this.#found = found;
      this.#missingSince = found === undefined ? clock.now() : undefined;
      return found;
    }, context.signal);
  }

  /** Ends what is under way. */
  abortAll(reason: unknown): void {
    this.#flights.abortAll(reason);
  }

  async #ask(context: FlightContext): Promise<string | undefined> {
    try {
      const answer = await this.#get(`?api-version=${VERSION}`, context);
      if (answer.status !== 400) return regionOfMetadata(answer.status, answer.text);
      const refusal = await this.#get("", context);
      const version = offeredVersion(refusal.status, refusal.text);
      if (version === undefined) return undefined;
      const again = await this.#get(`?api-version=${version}`, context);
      return regionOfMetadata(again.status, again.text);
    } catch (error) {
      context.signal.throwIfAborted();
      const failure = isKeyboundError(error, "request_timeout") ? "timeout" : "unreachable";
      context.emit({ type: "failure", endpoint: "discovery", class: failure });
      return undefined;
    }
  }

  #get(query: string, { emit, signal }: FlightContext): Promise<Answer> {
    const { base, fetch, clock, random } = this.#setting;
    const url = `${base}/metadata/instance/compute${query}`;
    return exchange(
      (attempt) =>
        fetch(url, { headers: { Metadata: "true" }, redirect: "manual", signal: attempt }),
      {
        policy: POLICY,
        timeout: TIMEOUT,
        clock,
        random,
        signal,
        onRetry: (retry) => emit({ type: "retry", endpoint: "discovery", ...retry }),
      },
    );
  }
}
