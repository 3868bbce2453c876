/**
 * What the tests of the OpenSSL transport have in common.
 *
 * @module
 */

import assert from "node:assert/strict";
import { LazyRuntime } from "../../backends/openssl/options.ts";
import { type OpensslTransportOptions, transportOver } from "../../backends/openssl/transport.ts";
import type { ClientCredential } from "../../src/credential.ts";
import type { Bytes } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { SignatureScheme, SigningKey, SyncSigner } from "../../src/keys.ts";
import {
  type FailureClass,
  type MtlsFetchOptions,
  type MtlsTransport,
  type TlsVersion,
  TransportError,
} from "../../src/transports.ts";
import type { TlsServers } from "./tls_servers.ts";

/** The versions of TLS. */
export const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
/** The ways to sign. */
export const MODES = ["in-place", "worker"] as const;

/** Whether an error has this code. */
export function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isKeyboundError(error, code);
}

/** Whether an error is a failure on the wire of this class, with this alert. */
export function failsAs(failureClass: FailureClass, alert?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TransportError, String(error));
    assert.equal(error.verdict.class, failureClass, JSON.stringify(error.failure));
    assert.equal(error.failure.alert, alert);
    return true;
  };
}

/** `key`, signing in another way: the same in place and by a promise. */
export function signingBy(
  key: SigningKey,
  sign: (scheme: SignatureScheme, data: Bytes) => Bytes,
): SigningKey & SyncSigner {
  const { id, strength, spki, schemes } = key;
  return {
    id,
    strength,
    spki,
    schemes,
    signSync: sign,
    // deno-lint-ignore require-await
    sign: async (scheme, data) => sign(scheme, data),
  };
}

/** Sends a request to one of the servers. */
export type FetchFrom = (
  server: string,
  credential: ClientCredential,
  path?: string,
  more?: RequestInit & MtlsFetchOptions,
) => Promise<Response>;

/** A transport, used, closed, and found to hold nothing afterwards. */
export async function usingOpenssl(
  servers: TlsServers,
  options: OpensslTransportOptions,
  use: (fetch: FetchFrom, transport: MtlsTransport) => Promise<void>,
): Promise<void> {
  const runtime = new LazyRuntime(options);
  let held: unknown[] = [];
  const close = runtime.close.bind(runtime);
  runtime.close = async () => held = [...await close()];
  const transport = transportOver(runtime, options);
  try {
    await use((server, credential, path = "/report", more = {}) => {
      const { connection, minVersion, maxVersion, ...init } = more;
      const request = new Request(servers.url(server, path), init);
      return transport.fetch(request, credential, {
        ...(connection === undefined ? {} : { connection }),
        ...(minVersion === undefined ? {} : { minVersion }),
        ...(maxVersion === undefined ? {} : { maxVersion }),
      });
    }, transport);
  } finally {
    await transport.close();
    assert.deepEqual(held, held.map(() => ({})), "not everything was given back");
  }
}
