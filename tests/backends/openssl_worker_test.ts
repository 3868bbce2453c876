/**
 * The threads of the OpenSSL transport: what becomes of handshakes when one of them fails.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LazyRuntime } from "../../backends/openssl/options.ts";
import { transportOver } from "../../backends/openssl/transport.ts";
import type { Bytes } from "../../src/encoding.ts";
import type { SignatureScheme, SigningKey } from "../../src/keys.ts";
import { rejectsWith, VERSIONS } from "../support/openssl_transport.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

describe("a thread for handshakes", () => {
  let authority: TlsAuthority;
  let servers: TlsServers;
  before(async () => {
    authority = await tlsAuthority("Worker Test");
    const https = { kind: "https", ...await authority.server(), clientCa: authority.pem } as const;
    servers = await startTlsServers({
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
    });
  });
  after(() => servers?.close());

  /** A key that signs by a promise, after `before`. */
  const keyThat = (before: () => void): SigningKey => {
    const { id, strength, spki, schemes, signSync } = synchronousKey("P-256");
    return {
      id,
      strength,
      spki,
      schemes,
      // deno-lint-ignore require-await
      async sign(scheme: SignatureScheme, data: Bytes) {
        before();
        return signSync(scheme, data);
      },
    };
  };

  it("that crashes fails the request at once, and the next has another", async () => {
    const lazy = new LazyRuntime({ ca: authority.pem });
    const transport = transportOver(lazy, {});
    const { workers } = await lazy.load();
    const busy = () => workers.threads.find(({ load }) => load > 0);
    let crashes = 1;
    const key = keyThat(() => {
      // An order that isn't one: it dies of it when it has done its step.
      if (crashes-- > 0) busy()!.order(undefined as never);
    });
    const credential = await authority.client(key);
    const send = (version: string) =>
      transport.fetch(new Request(servers.url(version, "/report")), credential);
    await assert.rejects(send("TLSv1.2"), (error: unknown) => {
      assert.ok(rejectsWith("transport_not_available")(error), String(error));
      return (error as { retryable: boolean }).retryable;
    });
    for (const version of VERSIONS) assert.equal((await send(version)).status, 200);
    await transport.close();
  });

  it("that crashes leaves the connections alone that were made by it", async () => {
    const lazy = new LazyRuntime({ ca: authority.pem });
    const transport = transportOver(lazy, {});
    const { workers } = await lazy.load();
    const credential = await authority.client(keyThat(() => {}));
    for (const version of VERSIONS) {
      const stream = await transport.fetch(
        new Request(servers.url(version, "/stream/3000000")),
        credential,
      );
      const [thread] = workers.threads;
      thread!.order(undefined as never);
      while (!thread!.failed) await new Promise((resolve) => setTimeout(resolve));
      assert.equal((await stream.arrayBuffer()).byteLength, 3_000_000);
      transport.retire(credential.thumbprint);
      assert.equal(
        (await transport.fetch(new Request(servers.url(version, "/report")), credential)).status,
        200,
      );
    }
    await transport.close();
  });
});
