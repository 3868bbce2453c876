/**
 * Keys behind the OpenSSL transport: those that fail, hang or lie, and what each may sign.
 *
 * @module
 */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { loadFfi, signature } from "../../backends/ffi/mod.ts";
import {
  findOpenssl,
  opensslTransport,
  type OpensslTransportOptions,
} from "../../backends/openssl/mod.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { SignatureScheme, SigningKey } from "../../src/keys.ts";
import { manualClock } from "../support/clock.ts";
import {
  failsAs,
  MODES,
  rejectsWith,
  signingBy,
  usingOpenssl,
  VERSIONS,
} from "../support/openssl_transport.ts";
import { synchronousKey, synchronousKeyOf } from "../support/synchronous_keys.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

type Use = Parameters<typeof usingOpenssl>[2];

describe("keys behind opensslTransport", () => {
  let authority: TlsAuthority;
  let servers: TlsServers;
  const { privateKey: rsaKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

  before(async () => {
    authority = await tlsAuthority("OpenSSL Key Test");
    const identity = await authority.server();
    const https = { kind: "https", ...identity, clientCa: authority.pem } as const;
    servers = await startTlsServers({
      https,
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
    });
  });
  after(() => servers?.close());

  const using = (options: OpensslTransportOptions, use: Use) =>
    usingOpenssl(servers, { ca: authority.pem, ...options }, use);
  const client = (key: SigningKey) => authority.client(key);
  const report = async (response: Response) => await response.json() as RequestReport;

  for (const signing of MODES) {
    describe(`a key that signs ${signing}`, () => {
      for (const version of VERSIONS) {
        it(`is reported dead by its own error, over ${version}`, async () => {
          const dead = new KeyboundError("key_unusable", "The key is gone.");
          const key = signingBy(synchronousKey("RSA-2048"), () => {
            throw dead;
          });
          await using({ signing }, async (fetch) => {
            await assert.rejects(fetch(version, await client(key)), (error) => error === dead);
          });
        });
      }

      it("isn't reported dead for an error that says nothing about it", async () => {
        const key = signingBy(synchronousKey("P-256"), () => {
          throw new TypeError("a slip");
        });
        await using({ signing }, async (fetch) => {
          const sent = fetch("https", await client(key));
          await assert.rejects(sent, rejectsWith("key_provider_unavailable"));
        });
      });

      it("is refused by the server when it isn't the certificate's", async () => {
        for (const algorithm of ["RSA-2048", "P-256"] as const) {
          const other = synchronousKey(algorithm);
          const key = signingBy(synchronousKey(algorithm), (...args) => other.signSync(...args));
          await using({ signing }, async (fetch) => {
            const credential = await client(key);
            await assert.rejects(fetch("TLSv1.2", credential), failsAs("credential_rejected", 51));
            await assert.rejects(fetch("TLSv1.3", credential), failsAs("credential_rejected", 51));
          });
        }
      });

      it("must give a signature of a plausible length", async () => {
        for (const length of [0, 255, 257, 5000]) {
          const inner = synchronousKeyOf(rsaKey, ["rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"]);
          const key = signingBy(inner, () => new Uint8Array(length));
          await using({ signing }, async (fetch) => {
            const sent = fetch("https", await client(key));
            await assert.rejects(sent, rejectsWith("key_provider_unavailable"));
          });
        }
      });

      it("may end its own request while it signs", async () => {
        const reason = new Error("on second thoughts");
        const controller = new AbortController();
        const inner = synchronousKey("P-256");
        const key = signingBy(inner, (...args) => {
          controller.abort(reason);
          return inner.signSync(...args);
        });
        const { signal } = controller;
        await using({ signing }, async (fetch) => {
          const sent = fetch("https", await client(key), "/report", { signal });
          await assert.rejects(sent, (error) => error === reason);
        });
      });

      it("signs by every scheme that is asked for", async () => {
        const rsa = ["rsa_pss_rsae_sha", "rsa_pkcs1_sha"].flatMap((name) =>
          [256, 384, 512].map((bits) => `${name}${bits}` as SignatureScheme)
        );
        await using({ signing }, async (fetch) => {
          for (const scheme of rsa) {
            const key = synchronousKeyOf(rsaKey, [scheme]);
            const seen = await report(await fetch("https", await client(key)));
            assert.equal(seen.protocol, scheme.includes("pkcs1") ? "TLSv1.2" : "TLSv1.3");
            assert.deepEqual(key.signed, [scheme]);
          }
          for (const algorithm of ["RSA-3072", "P-384", "P-521"] as const) {
            const key = synchronousKey(algorithm);
            assert.equal(
              (await report(await fetch("TLSv1.3", await client(key)))).authorized,
              true,
            );
            assert.deepEqual(key.signed, [key.schemes[0]]);
          }
        });
      });

      it("serves a request whose certificate is retired while its body is read", async () => {
        const credential = await client(synchronousKey("P-256"));
        await using({ signing }, async (fetch, transport) => {
          await (await fetch("https", credential)).text();
          for (let i = 0; i < 2; i++) {
            const body = new ReadableStream({
              // Asked for when the request has its agent and no connection yet.
              pull(controller) {
                transport.retire(credential.thumbprint);
                controller.enqueue(new TextEncoder().encode("late"));
                controller.close();
              },
            }, { highWaterMark: 0 });
            const init: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
            const seen = await report(await fetch("https", credential, "/report", init));
            assert.equal(seen.body, "late");
          }
        });
      });

      it("doesn't sign for a session that is resumed, until its certificate is retired", async () => {
        for (const version of VERSIONS) {
          const key = synchronousKey("P-256");
          const credential = await client(key);
          await using({ signing }, async (fetch, transport) => {
            const pair = async () => {
              const both = await Promise.all([
                fetch(version, credential),
                fetch(version, credential),
              ]);
              return (await Promise.all(both.map(report))).map((seen) => seen.sessionReused);
            };
            await (await fetch(version, credential)).text();
            assert.equal(key.signed.length, 1);
            assert.deepEqual((await pair()).sort(), [false, true]);
            assert.equal(key.signed.length, 1, version);
            const fresh = await fetch(version, credential, "/report", { connection: "fresh" });
            assert.equal((await report(fresh)).sessionReused, false);
            assert.equal(key.signed.length, 2);
            transport.retire(credential.thumbprint);
            assert.equal((await report(await fetch(version, credential))).sessionReused, false);
            assert.equal(key.signed.length, 3);
          });
        }
      });
    });
  }

  it("may leave errors of OpenSSL behind, which their modules share with us", async () => {
    const { crypto } = await findOpenssl();
    const library = (await loadFfi()).open(crypto);
    const parse = library.function("d2i_X509", signature("address", "buffer", "buffer", "long"));
    const inner = synchronousKey("P-256");
    const key = signingBy(inner, (...args) => {
      const garbage = new BigUint64Array([0n]);
      assert.equal(parse(null, new Uint8Array(garbage.buffer), 0n), 0n);
      return inner.signSync(...args);
    });
    await using({ signing: "in-place" }, async (fetch) => {
      for (const version of VERSIONS) {
        assert.equal((await fetch(version, await client(key))).status, 200, version);
      }
    });
  });

  describe("a key that hangs", () => {
    const hanging = (key: SigningKey) => {
      let aborted = 0;
      let asked: () => void;
      const isAsked = new Promise<void>((resolve) => asked = resolve);
      const { id, strength, spki, schemes } = key;
      const hung: SigningKey = {
        id,
        strength,
        spki,
        schemes,
        sign(_scheme, _data, { signal } = {}) {
          signal?.addEventListener("abort", () => aborted++);
          asked();
          return new Promise(() => {});
        },
      };
      return { key: hung, isAsked, aborted: () => aborted };
    };

    it("ends with the deadline of the connection, and the thread goes on", async () => {
      const clock = manualClock();
      await using({ clock, connectTimeout: 5000 }, async (fetch) => {
        const { key, isAsked, aborted } = hanging(synchronousKey("P-256"));
        const rejected = assert.rejects(fetch("https", await client(key)), failsAs("timeout"));
        await isAsked;
        await clock.advance(4999);
        assert.equal(aborted(), 0);
        await clock.advance(1);
        await rejected;
        assert.equal(aborted(), 1);
        const { signSync: _signSync, ...good } = synchronousKey("P-256");
        assert.equal((await fetch("https", await client(good))).status, 200);
      });
    });

    it("ends with the signal of the request", async () => {
      const reason = new Error("enough");
      const controller = new AbortController();
      await using({}, async (fetch) => {
        const { key, isAsked } = hanging(synchronousKey("P-256"));
        const init = { signal: controller.signal };
        const sent = fetch("https", await client(key), "/report", init);
        const rejected = assert.rejects(sent, (error) => error === reason);
        await isAsked;
        controller.abort(reason);
        await rejected;
      });
    });

    it("ends when the transport is closed", async () => {
      const transport = opensslTransport({ ca: authority.pem });
      const { key, isAsked } = hanging(synchronousKey("P-256"));
      const request = new Request(servers.url("https", "/report"));
      const rejected = assert.rejects(
        transport.fetch(request, await client(key)),
        rejectsWith("closed"),
      );
      await isAsked;
      await transport.close();
      await rejected;
    });
  });
});
