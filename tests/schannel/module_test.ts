/**
 * The module on every system: importing it does nothing, and where there is no SChannel it says so
 * before any network.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { describe, it } from "node:test";
import { schannelAgent, schannelTransport } from "../../backends/schannel/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { InKeyContainer, SigningKey } from "../../src/keys.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";

const { signSync: _signSync, ...key } = synchronousKey("RSA-2048");

/** A key as Windows has them. */
const inContainer: SigningKey & InKeyContainer = {
  ...key,
  keyContainer: {
    container: "none",
    provider: "Microsoft Software Key Storage Provider",
    providerType: 0,
    keySpec: 0,
    machine: false,
  },
};

async function credentialOf(key: SigningKey): Promise<ClientCredential> {
  const issuer = await certificateAuthority();
  const { der } = await issueCertificate({ spki: key.spki, issuer });
  return await ClientCredential.create([der], key);
}

const isUnavailable = (error: unknown) => isKeyboundError(error, "transport_not_available");

describe("schannelTransport", () => {
  it("checks its options", () => {
    assert.throws(
      () => schannelTransport({ ca: "garbage" }),
      (error) => isKeyboundError(error, "invalid_pem"),
    );
    assert.throws(
      () => schannelTransport({ maxCredentials: 0 }),
      (error) => isKeyboundError(error, "invalid_argument"),
    );
  });

  it("refuses a key that Windows doesn't find by name, before any network", async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    let connections = 0;
    server.on("connection", () => connections++);
    const transport = schannelTransport();
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const keys = process.platform === "win32" ? [key] : [key, inContainer];
    for (const refused of keys) {
      assert.equal(transport.accepts(refused), false);
      const credential = await credentialOf(refused);
      await assert.rejects(transport.fetch(new Request(url), credential), isUnavailable);
      assert.throws(() => schannelAgent(credential), isUnavailable);
    }
    await transport.close();
    server.close();
    assert.equal(connections, 0);
  });

  it("has its name, and closes though it was never used", async () => {
    const transport = schannelTransport();
    assert.equal(transport.name, "schannel");
    await transport.close();
    await assert.rejects(
      transport.fetch(new Request("https://127.0.0.1:1/"), await credentialOf(inContainer)),
      (error) => isKeyboundError(error, "closed"),
    );
  });
});
