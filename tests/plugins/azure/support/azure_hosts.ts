/**
 * Azure's own host names, played by an emulator: the examples of the documentation run unchanged.
 *
 * @module
 */

import { detect, type DetectedHost } from "../../../../backends/detect.ts";
import { type Emulator, entraHosts } from "../../../../emulator/mod.ts";

/** Hosts of the services that the emulator's resource server stands for. */
const SERVICES = /\.(?:vault\.azure\.net|blob\.core\.windows\.net)$/;

/** Backends whose requests to Azure's services go to the emulator, for as long as `use` takes. */
export async function atAzure<T>(
  emulator: Emulator,
  use: (host: DetectedHost) => Promise<T>,
): Promise<T> {
  const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
  const host = await detect({ ca: emulator.ca, environment });
  const { transports, fetch } = entraHosts(emulator, host.transports);
  const { fetch: own } = globalThis;
  globalThis.fetch = (async (input, init) => {
    const request = new Request(input, init);
    const isLocal = new URL(request.url).origin === new URL(emulator.metadata).origin;
    return await (isLocal ? own(input, init) : fetch(await redirected(request, emulator)));
  }) as typeof globalThis.fetch;
  try {
    return await use({
      ...host,
      transports: transports.map((transport) => ({
        ...transport,
        fetch: async (request, credential, options) =>
          await transport.fetch(await redirected(request, emulator), credential, options),
      })),
    });
  } finally {
    globalThis.fetch = own;
    await host.close();
  }
}

async function redirected(request: Request, { resource }: Emulator): Promise<Request> {
  const { hostname, pathname, search } = new URL(request.url);
  if (!SERVICES.test(hostname)) return request;
  const { method, headers, signal } = request;
  const body = await request.arrayBuffer();
  return new Request(`${resource}${pathname}${search}`, {
    method,
    headers,
    redirect: "manual",
    signal,
    ...(body.byteLength === 0 ? {} : { body }),
  });
}
