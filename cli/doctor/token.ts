/**
 * Whether a token is to be had, TLS to its endpoint works with the client certificate, and the clocks
 * agree.
 *
 * @module
 */

import { memoryStore } from "../../backends/memory/mod.ts";
import type { ManagedIdentityId } from "../../src/identity.ts";
import type { KeyProvider } from "../../src/keys.ts";
import { managedIdentity } from "../../src/managed_identity.ts";
import type { Host } from "../../src/managed_identity_options.ts";
import { CLOCK_SKEW } from "../../src/policy/renewal.ts";
import type { BoundToken } from "../../src/token/result.ts";
import { reasonOf } from "../host.ts";
import { span } from "../style.ts";
import { type Finding, finding } from "./finding.ts";
import { type TimeSeen, timeSeen } from "./service.ts";

/** A difference of clocks that is worth a warning, milliseconds. */
const NOTABLE_SKEW = 30_000;

/** What a token is asked with. */
export interface TokenTrial {
  readonly host: Host;
  readonly id: ManagedIdentityId;
  readonly keys: KeyProvider;
  readonly resource: string;
  readonly binding: "mtls_pop" | "bearer";
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface TrialSeen {
  readonly findings: readonly Finding[];
  readonly time?: TimeSeen;
}

/** Gets a token, with a certificate that is kept nowhere, and asks its endpoint once more. */
export async function tryToken(trial: TokenTrial): Promise<TrialSeen> {
  const { host, id, keys, resource, binding, signal } = trial;
  const identity = managedIdentity({ ...host, ...id, keys, store: memoryStore() });
  const start = Date.now();
  try {
    const token = await identity.getToken({ resource, binding, signal });
    const life = `good for ${span(token.expiresOn - Date.now())}`;
    const how = `${token.tokenType} from ${token.source} in ${Date.now() - start} ms, ${life}`;
    const got = finding("token", "ok", how);
    if (token.binding === undefined) return { findings: [got] };
    const { findings, ...seen } = await tryTls(token.binding, host, signal);
    return { findings: [got, ...findings], ...seen };
  } catch (error) {
    signal.throwIfAborted();
    return {
      findings: [
        finding("token", "failure", reasonOf(error), "The rows above say which hop to look at."),
        finding("tls", "info", "not tried: without a certificate there is nothing to present"),
      ],
    };
  } finally {
    await identity.close();
  }
}

async function tryTls(
  { credential, endpoint }: BoundToken["binding"],
  { transports }: Host,
  signal: AbortSignal,
): Promise<TrialSeen> {
  const { origin, host } = new URL(endpoint);
  const transport = transports.find((each) => each.accepts(credential.key));
  const start = Date.now();
  try {
    const request = new Request(`${origin}/`, { redirect: "manual", signal });
    // As tokens are asked for.
    const options = { connection: "fresh", maxVersion: "TLSv1.2" } as const;
    const response = await transport!.fetch(request, credential, options);
    const duration = Date.now() - start;
    const time = timeSeen(host, response.headers, start + duration / 2);
    await response.body?.cancel();
    const detail = `${host} took the certificate over ${transport!.name} in ${duration} ms`;
    return { findings: [finding("tls", "ok", detail)], ...(time === undefined ? {} : { time }) };
  } catch (error) {
    signal.throwIfAborted();
    return {
      findings: [
        finding("tls", "failure", reasonOf(error), `Can ${host} be reached and verified?`),
      ],
    };
  }
}

/** Whether the clocks agree. */
export function clockFinding(times: readonly TimeSeen[]): Finding {
  const check = "clock";
  const [worst] = [...times].sort((a, b) => Math.abs(b.ahead) - Math.abs(a.ahead));
  if (worst === undefined) return finding(check, "info", "no server told the time");
  const { server, ahead } = worst;
  const skew = Math.abs(ahead);
  // The header has whole seconds, and the answer took its time.
  if (skew < 2000) return finding(check, "ok", "as the servers' to the second");
  const detail = `${span(skew)} ${ahead > 0 ? "behind" : "ahead of"} ${server}`;
  if (skew < NOTABLE_SKEW) return finding(check, "ok", detail);
  return finding(
    check,
    skew < CLOCK_SKEW ? "warning" : "failure",
    detail,
    "Set this host's clock: certificates and tokens are dated.",
  );
}
