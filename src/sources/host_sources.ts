/**
 * The sources that a host has: which one it is, and its tokens.
 *
 * @module
 */

import { type Clock, systemClock } from "../clock.ts";
import { withoutHeaderSecrets } from "../echo.ts";
import { KeyboundError } from "../errors.ts";
import { type Answer, exchange } from "../http.ts";
import { resolveIdentity } from "../identity.ts";
import { metadataBase } from "../imds/endpoint.ts";
import type { KeyStrength } from "../keys.ts";
import { imdsPolicy, managedIdentityPolicy } from "../policy/retry.ts";
import { appServiceRequest } from "./app_service.ts";
import { answerArcChallenge, azureArcRequest } from "./azure_arc.ts";
import { CapabilitiesCache } from "./capabilities.ts";
import { cloudShellRequest } from "./cloud_shell.ts";
import { findSource } from "./detect.ts";
import { discoverMetadataService, environmentCapabilities } from "./discovery.ts";
import { withOverrides } from "./endpoint.ts";
import { imdsRequest } from "./imds_v1.ts";
import { IMDS_LIMITS, RequestLimiter } from "./limiter.ts";
import { machineLearningRequest } from "./machine_learning.ts";
import { readBearerAnswer } from "./response.ts";
import { serviceFabricRequest } from "./service_fabric.ts";
import type {
  BearerAnswer,
  BearerQuery,
  Capabilities,
  CapabilitiesOptions,
  Environment,
  HostAccess,
  ManagedIdentitySources,
  SourceName,
  SourceRequest,
} from "./source.ts";

/** Options of {@linkcode managedIdentitySources}. */
export interface ManagedIdentitySourcesOptions {
  /** Environment variables by name. */
  environment: Environment;
  /** Files and pinned TLS. */
  host: HostAccess;
  /** Plain fetch. @default globalThis.fetch */
  fetch?: typeof globalThis.fetch;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Randomness in [0, 1), for jitter. @default Math.random */
  random?: () => number;
  /** Milliseconds for one attempt. @default 10000 */
  timeout?: number;
  /** The strongest key this host can make. @default software */
  keyStrength?: () => Promise<KeyStrength>;
  /** Ids of discoveries. @default globalThis.crypto */
  crypto?: Pick<Crypto, "randomUUID">;
  /** Whether requests that fail for a passing reason are repeated. @default true */
  retries?: boolean;
  /**
   * Shared with others who ask the same metadata service.
   *
   * @internal
   */
  limiter?: RequestLimiter;
}

/**
 * The sources of this host. Nothing is read or sent before the first call. Throws
 * `invalid_argument` for a timeout that is none.
 *
 * @example
 * ```ts
 * const sources = managedIdentitySources({ environment: process.env, host: hostAccess() });
 * const { source, boundTokens, reason } = await sources.capabilities();
 * ```
 */
export function managedIdentitySources(
  options: ManagedIdentitySourcesOptions,
): ManagedIdentitySources {
  return new HostSources(options);
}

/** The request of each source; each refuses what it can't be asked. */
const REQUESTS: Readonly<
  Record<SourceName, (environment: Environment, query: BearerQuery) => SourceRequest>
> = {
  ServiceFabric: serviceFabricRequest,
  AppService: appServiceRequest,
  MachineLearning: machineLearningRequest,
  CloudShell: cloudShellRequest,
  AzureArc: azureArcRequest,
  Imds: imdsRequest,
};

class HostSources implements ManagedIdentitySources {
  readonly #environment: Environment;
  readonly #host: HostAccess;
  readonly #fetch: typeof globalThis.fetch;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #timeout: number;
  readonly #keyStrength: (() => Promise<KeyStrength>) | undefined;
  readonly #crypto: Pick<Crypto, "randomUUID">;
  readonly #limiter: RequestLimiter;
  readonly #retries: boolean;
  readonly #capabilities: CapabilitiesCache;

  constructor(options: ManagedIdentitySourcesOptions) {
    const { clock = systemClock(), timeout = 10_000 } = options;
    if (!Number.isFinite(timeout) || timeout <= 0) {
      throw new KeyboundError("invalid_argument", "'timeout' must be a positive number.");
    }
    this.#environment = options.environment;
    this.#host = options.host;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#clock = clock;
    this.#random = options.random ?? Math.random;
    this.#timeout = timeout;
    this.#keyStrength = options.keyStrength;
    this.#crypto = options.crypto ?? globalThis.crypto;
    this.#retries = options.retries ?? true;
    this.#limiter = options.limiter ?? new RequestLimiter(IMDS_LIMITS, clock);
    this.#capabilities = new CapabilitiesCache(clock);
  }

  find(): Promise<SourceName> {
    return findSource(this.#environment, this.#host);
  }

  async token(query: BearerQuery): Promise<BearerAnswer> {
    const { correlationId, signal } = query;
    signal?.throwIfAborted();
    const source = await this.find();
    if (source === "Imds" && this.#knowsNothing) throw noSource(correlationId);
    try {
      const answer = await this.#answer(source, REQUESTS[source](this.#environment, query), query);
      return readBearerAnswer(answer, { source, correlationId, now: this.#clock.now() });
    } catch (error) {
      signal?.throwIfAborted();
      throw sourceError(error, source, correlationId);
    }
  }

  async #answer(source: SourceName, request: SourceRequest, query: BearerQuery): Promise<Answer> {
    const { extraQueryParameters = {} } = query;
    const url = Object.keys(extraQueryParameters).length === 0
      ? request.url
      : withOverrides(request.url, extraQueryParameters);
    const answer = await this.#ask(source, { ...request, url }, query);
    if (source !== "AzureArc" || answer.status !== 401) return answer;
    const again = await answerArcChallenge(
      request,
      answer,
      this.#environment,
      this.#host,
      query.correlationId,
    );
    return await this.#ask(source, again, query);
  }

  /** The answer, whatever its status. */
  async #ask(
    source: SourceName,
    { url, init, thumbprint }: SourceRequest,
    { signal, onRetry }: BearerQuery,
  ): Promise<Answer> {
    const fetch = thumbprint === undefined ? this.#fetch : this.#host.pinnedFetch(thumbprint);
    const limiter = source === "Imds" ? this.#limiter : undefined;
    const policy = source === "Imds" ? imdsPolicy : managedIdentityPolicy;
    // Not within the first attempt's time: to wait for one's turn is no fault of the service.
    let leave = await limiter?.enter(signal);
    const over = () => {
      leave?.();
      leave = undefined;
    };
    try {
      const answer = await exchange(async (attempt) => {
        leave ??= await limiter?.enter(attempt);
        // Its turn and its end may have come at once; nobody else would make room then.
        if (attempt.aborted) over();
        attempt.throwIfAborted();
        return await fetch(url, { ...init, redirect: "manual", signal: attempt });
      }, {
        policy: this.#retries ? policy : { ...policy, limit: () => 0 },
        timeout: this.#timeout,
        clock: this.#clock,
        random: this.#random,
        signal,
        onRetry(retry) {
          over();
          onRetry?.(retry);
        },
      });
      return withoutHeaderSecrets(answer, init.headers);
    } finally {
      over();
    }
  }

  /** Whether it is known that there is no metadata service. */
  get #knowsNothing(): boolean {
    const known = this.#capabilities.known;
    return known !== undefined && known.source === undefined;
  }

  async known(): Promise<Capabilities | undefined> {
    const source = await this.find();
    return source === "Imds" ? this.#capabilities.known : environmentCapabilities(source);
  }

  async capabilities(options: CapabilitiesOptions = {}): Promise<Capabilities> {
    const { identity = resolveIdentity({}) } = options;
    return await this.#capabilities.get(async (signal) => {
      const source = await this.find();
      if (source !== "Imds") return environmentCapabilities(source);
      return await discoverMetadataService({
        base: metadataBase(this.#environment),
        fetch: this.#fetch,
        clock: this.#clock,
        random: this.#random,
        timeout: this.#timeout,
        keyStrength: this.#keyStrength,
      }, { identity, correlationId: this.#crypto.randomUUID(), signal });
    }, options);
  }
}

/** Any failure as one of this source: with its name, and with the acquisition's id. */
function sourceError(error: unknown, source: SourceName, correlationId: string): KeyboundError {
  if (error instanceof KeyboundError) {
    if (error.correlationId !== undefined) return error;
    const { code, message, retryable, status } = error;
    const named = message.startsWith(`[${source}]`) ? message : `[${source}] ${message}`;
    const details = { cause: error, retryable, status, correlationId, source };
    return new KeyboundError(code, named, details);
  }
  return new KeyboundError(
    "managed_identity_unreachable_network",
    `[${source}] There is no connection to the token endpoint. Does this host have a managed identity?`,
    { cause: error, retryable: true, correlationId, source },
  );
}

function noSource(correlationId: string): KeyboundError {
  return new KeyboundError(
    "managed_identity_all_sources_unavailable",
    "This host has no managed identity, as was found out within the last minute.",
    { retryable: true, correlationId },
  );
}
