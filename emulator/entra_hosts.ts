/**
 * Entra's hosts as names for the emulator: what a confidential client sends to `login.*` and
 * `*.mtlsauth.*` goes to the emulated token endpoint, which is told the host it stands for.
 *
 * @module
 */

import { request as httpsRequest } from "node:https";
import type { MtlsTransport } from "../src/transports.ts";
import { EMULATED_HOST } from "./emulated_host.ts";
import type { EmulatorAddresses } from "./types.ts";

/** Where the emulator is, and what it is trusted by. */
export type EntraAddresses = Pick<EmulatorAddresses, "ca" | "mtls" | "resource">;

/** Backends for which the emulator is Entra. */
export interface EntraHosts {
  /** The transports given; token requests go to the emulator. */
  readonly transports: readonly MtlsTransport[];
  /** Plain fetch that trusts the emulator; token requests go to it, others where they are meant to. */
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Backends for `confidentialClient` and `federate`, whose authorities keep their real names: no
 * option of the client makes it trust another host.
 *
 * @example
 * ```ts
 * const host = await detect({ ca: emulator.ca });
 * const client = confidentialClient({ ...host, ...entraHosts(emulator, host.transports), ... });
 * ```
 */
export function entraHosts(
  emulator: EntraAddresses,
  transports: readonly MtlsTransport[],
): EntraHosts {
  return {
    transports: transports.map((transport) => ({
      name: transport.name,
      accepts: (key) => transport.accepts(key),
      fetch: async (request, credential, options) =>
        await transport.fetch(await redirected(request, emulator), credential, options),
      retire: (thumbprint) => transport.retire(thumbprint),
      close: () => transport.close(),
    })),
    fetch: async (input, init) => {
      const request = await redirected(new Request(input, init), emulator);
      const { origin } = new URL(request.url);
      const isOurs = [emulator.mtls, emulator.resource].includes(origin);
      return await (isOurs ? send(request, emulator.ca) : globalThis.fetch(request));
    },
  };
}

const TOKEN_PATH = /\/oauth2\/v2\.0\/token$/;

async function redirected(request: Request, { mtls }: EntraAddresses): Promise<Request> {
  const { protocol, host, pathname, search, origin } = new URL(request.url);
  if (protocol !== "https:" || origin === mtls || !TOKEN_PATH.test(pathname)) return request;
  const headers = new Headers(request.headers);
  headers.set(EMULATED_HOST, host);
  return new Request(`${mtls}${pathname}${search}`, {
    method: request.method,
    headers,
    body: await request.arrayBuffer(),
    redirect: "manual",
    signal: request.signal,
  });
}

/** By `node:https`, since no runtime's `fetch` takes a CA of its own on all three. */
async function send(request: Request, ca: string): Promise<Response> {
  const body = new Uint8Array(await request.arrayBuffer());
  const { method, headers, signal, url } = request;
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const outgoing = httpsRequest(url, {
      method,
      ca,
      agent: false,
      headers: { ...Object.fromEntries(headers), "content-length": `${body.length}` },
    }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        signal.removeEventListener("abort", onAbort);
        const { statusCode: status = 0, headers: given } = response;
        const pairs = Object.entries(given).map(([name, value]) => [name, `${value}`] as const);
        const whole = Buffer.concat(chunks);
        const isEmpty = [204, 205, 304].includes(status);
        resolve(
          new Response(isEmpty ? null : whole, { status, headers: pairs as [string, string][] }),
        );
      });
    });
    const onAbort = () => {
      outgoing.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
