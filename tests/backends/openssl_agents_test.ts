/**
 * Many agents in one process: what they share, and what each gives back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { LazyRuntime } from "../../backends/openssl/options.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { rejectsWith } from "../support/openssl_transport.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";

const VERSIONS = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
const NOTHING = new Uint8Array(0);

/** With 19 function pointers each, koffi's 8192 would be used up. */
const AGENTS = 500;

describe("many agents over OpenSSL", () => {
  let authority: TlsAuthority;
  let credential: ClientCredential;
  before(async () => {
    authority = await tlsAuthority("Agents Test");
    credential = await authority.client(synchronousKey("P-256"));
  });

  /** What an agent makes of its first connection. */
  const agent = async () => {
    const lazy = new LazyRuntime({ ca: authority.pem });
    const source = (await lazy.load()).source(credential, VERSIONS);
    const engine = source.open({ host: "localhost" });
    return {
      source,
      hello: engine.handshake(NOTHING),
      async close() {
        engine.free();
        source.retire();
        return await lazy.close();
      },
    };
  };

  it(`hold ${AGENTS} credentials at the same time, and give all of it back`, async () => {
    const agents = [];
    for (let i = 0; i < AGENTS; i++) agents.push(await agent());
    for (const { hello } of agents) assert.ok((await hello).send.length > 100);
    for (const { close } of agents) assert.deepEqual(await close(), [{}]);
  });

  it("don't end what others stand on", async () => {
    const [one, other] = [await agent(), await agent()];
    await one.close();
    const engine = other.source.open({ host: "localhost" });
    assert.ok((await engine.handshake(NOTHING)).send.length > 100);
    engine.free();
    assert.deepEqual(await other.close(), [{}]);
  });

  it("take no connection any more when they have been closed, whoever else goes on", async () => {
    const [one, other] = [await agent(), await agent()];
    await one.close();
    assert.throws(() => one.source.open({ host: "localhost" }), rejectsWith("closed"));
    assert.deepEqual(await other.close(), [{}]);
  });
});
