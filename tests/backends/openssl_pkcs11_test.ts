/**
 * Mutual TLS with keys in a PKCS#11 token (SoftHSM): nobody sees the private half.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Pkcs11KeyProvider, pkcs11Keys } from "../../backends/pkcs11/mod.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { MODES, usingOpenssl, VERSIONS } from "../support/openssl_transport.ts";
import { softHsm } from "../support/softhsm.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

const token = await softHsm();

describe("opensslTransport with a key in a token", () => {
  if (token === undefined) {
    it("is not there: SoftHSM isn't installed", () => assert.equal(token, undefined));
    return;
  }
  let authority: TlsAuthority;
  let servers: TlsServers;
  let keys: Pkcs11KeyProvider;

  before(async () => {
    authority = await tlsAuthority("Token Test");
    const https = { kind: "https", ...await authority.server(), clientCa: authority.pem } as const;
    servers = await startTlsServers({
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
    });
    keys = pkcs11Keys({ module: token.library, pin: () => token.pin });
  });
  after(async () => {
    await keys?.close();
    await servers?.close();
    await token.destroy();
  });

  for (const algorithm of ["RSA-2048", "P-256"] as const) {
    for (const signing of MODES) {
      it(`presents a key ${algorithm} that signs ${signing}`, async () => {
        const credential = await authority.client(
          await keys.create(`${algorithm} ${signing}`, { algorithm }),
        );
        await usingOpenssl(servers, { ca: authority.pem, signing }, async (fetch) => {
          for (const version of VERSIONS) {
            const sent = Array.from(
              { length: 8 },
              () => fetch(version, credential, "/report", { connection: "fresh" }),
            );
            for (const response of await Promise.all(sent)) {
              assert.equal((await response.json()).authorized, true);
            }
          }
        });
      });
    }
  }

  for (const signing of MODES) {
    it(`reports a key dead that was destroyed, by its own error, ${signing}`, async () => {
      const credential = await authority.client(
        await keys.create("doomed", { algorithm: "P-256" }),
      );
      await keys.remove("doomed");
      await usingOpenssl(servers, { ca: authority.pem, signing }, async (fetch) => {
        await assert.rejects(fetch("TLSv1.3", credential), { code: "key_unusable" });
      });
    });
  }
});
