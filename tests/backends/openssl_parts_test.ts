/**
 * The parts of the OpenSSL backend that decide without OpenSSL.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usableVersions } from "../../backends/openssl/context.ts";
import { failureOf, receivedAlert, verificationFailure } from "../../backends/openssl/errors.ts";
import { candidateLibraries } from "../../backends/openssl/find.ts";
import {
  ecPublicKey,
  publicKeyParams,
  rsaPublicKey,
  schemeOf,
} from "../../backends/openssl/public_key.ts";
import { Turns } from "../../backends/openssl/turns.ts";
import { hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { classifyFailure, failureSignals } from "../../src/policy/failure.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";

const classOf = (error: Error) =>
  classifyFailure({
    signals: failureSignals(error),
    stage: "tcp",
    reusedConnection: false,
    responseStarted: false,
  });

describe("the search for OpenSSL", () => {
  const linux = { platform: "linux", arch: "x64" };

  it("looks nowhere else when it is told where", () => {
    const library = { ssl: "/a/libssl.so", crypto: "/a/libcrypto.so" };
    const environment = { KEYBOUND_LIBSSL: "/b/libssl.so", KEYBOUND_LIBCRYPTO: "/b/libcrypto.so" };
    assert.deepEqual(candidateLibraries({ library, environment }, linux), [library]);
    assert.deepEqual(candidateLibraries({ environment }, linux), [
      { ssl: "/b/libssl.so", crypto: "/b/libcrypto.so" },
    ]);
  });

  it("takes no half of an override", () => {
    const [first] = candidateLibraries({ environment: { KEYBOUND_LIBSSL: "/b/x" } }, linux);
    assert.deepEqual(first, { ssl: "libssl.so.3", crypto: "libcrypto.so.3" });
  });

  it("goes by the names of the platform, version 3 before 4", () => {
    const names = (platform: string, arch: string) =>
      candidateLibraries({}, { platform, arch }).map(({ ssl }) => ssl);
    assert.deepEqual(names("linux", "x64"), ["libssl.so.3", "libssl.so.4"]);
    const folder = "C:\\Program Files\\OpenSSL-Win64\\bin\\";
    assert.equal(names("win32", "x64")[0], `${folder}libssl-3-x64.dll`);
    assert.equal(names("win32", "arm64")[0], `${folder}libssl-3-arm64.dll`);
    assert.equal(names("win32", "ia32")[0], `${folder}libssl-3.dll`);
    assert.equal(names("darwin", "arm64")[0], "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib");
    assert.ok(names("darwin", "arm64").every((name) => name.startsWith("/")));
  });

  it("leaves no folder to Windows, which would look into the working directory, too", () => {
    for (const arch of ["x64", "arm64", "ia32"]) {
      for (const { ssl, crypto } of candidateLibraries({}, { platform: "win32", arch })) {
        assert.match(ssl, /^C:\\Program Files\\/);
        assert.match(crypto, /^C:\\Program Files\\/);
      }
    }
  });
});

describe("errors of OpenSSL", () => {
  const queued = (library: bigint, reason: bigint) => ({
    code: library << 23n | reason,
    text: "error:0A000000:SSL routines::some reason",
  });

  it("are an alert only where the SSL library says so", () => {
    assert.equal(receivedAlert([]), undefined);
    assert.equal(receivedAlert([queued(20n, 134n)]), undefined);
    assert.equal(receivedAlert([queued(6n, 1042n)]), undefined);
    assert.equal(receivedAlert([queued(20n, 1256n)]), undefined);
    assert.equal(receivedAlert([queued(20n, 134n), queued(20n, 1042n)]), 42);
    assert.equal(receivedAlert([queued(20n, 1000n)]), 0);
  });

  it("tell the classifier the alert by its number", () => {
    assert.deepEqual(classOf(failureOf([queued(20n, 1046n)], "It failed")), {
      class: "credential_rejected",
      alert: "certificate_unknown",
    });
    assert.deepEqual(classOf(failureOf([queued(20n, 267n)], "It failed")), { class: "protocol" });
    assert.deepEqual(classOf(failureOf([], "It failed")), { class: "protocol" });
  });

  it("are about the server for every result of verification", () => {
    for (let result = 1; result < 100; result++) {
      assert.deepEqual(classOf(verificationFailure(result, "some reason")), {
        class: "server_untrusted",
      }, String(result));
    }
  });
});

describe("public keys", () => {
  it("have the strength that OpenSSL counts", () => {
    const strengths = [512, 1024, 2048, 3072, 4096, 8192].map((bits) => {
      const modulus = new Uint8Array(bits / 8).fill(0x80);
      return [rsaPublicKey(modulus).bits, rsaPublicKey(modulus).securityBits];
    });
    const expected = [[512, 0], [1024, 80], [2048, 112], [3072, 128], [4096, 152], [8192, 200]];
    assert.deepEqual(strengths, expected);
    assert.equal(ecPublicKey("prime256v1", new Uint8Array(65))?.securityBits, 128);
    assert.equal(ecPublicKey("secp521r1", new Uint8Array(133))?.maxSize, 139);
    assert.equal(ecPublicKey("secp256k1", new Uint8Array(65)), undefined);
  });

  it("become parameters: RSA little-endian, EC as a point", () => {
    const rsa = publicKeyParams(synchronousKey("RSA-2048").spki);
    const [n, e] = rsa.params;
    assert.equal(rsa.type, "RSA");
    assert.equal(n?.[2]?.length, 256);
    assert.equal(hex(e?.[2] ?? new Uint8Array()), "010001");
    assert.equal((n?.[2]?.[0] ?? 0) % 2, 1, "an odd number ends in an odd byte: its first here");
    const ec = publicKeyParams(synchronousKey("P-384").spki);
    assert.equal(ec.type, "EC");
    assert.equal(new TextDecoder().decode(ec.params[0]?.[2]), "secp384r1");
    assert.equal(ec.params[1]?.[2]?.[0], 4);
  });

  it("know the scheme of a signature by padding and digest, and none that TLS lacks", () => {
    const rsa = rsaPublicKey(new Uint8Array(256).fill(1));
    const ec = ecPublicKey("prime256v1", new Uint8Array(65))!;
    assert.equal(schemeOf(rsa, "pss", "SHA2-256"), "rsa_pss_rsae_sha256");
    assert.equal(schemeOf(rsa, "pkcs1", "SHA512"), "rsa_pkcs1_sha512");
    assert.equal(schemeOf(ec, undefined, "sha256"), "ecdsa_secp256r1_sha256");
    for (const digest of ["SHA1", "SHA-1", "MD5-SHA1", "SHA2-512/256", "SHA3-256", ""]) {
      assert.equal(schemeOf(rsa, "pkcs1", digest), undefined, digest);
    }
    assert.equal(schemeOf(rsa, undefined, "SHA256"), undefined);
    assert.equal(schemeOf(ec, undefined, "SHA384"), undefined);
  });
});

describe("TLS versions", () => {
  const range = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;

  it("are those that the key's signatures are good for", () => {
    assert.throws(
      () => usableVersions(["rsa_pkcs1_sha256"], { ...range, minVersion: "TLSv1.3" }),
      (error) => isKeyboundError(error, "unsupported_scheme"),
    );
    assert.equal(usableVersions(["rsa_pkcs1_sha256"], range).maxVersion, "TLSv1.2");
    assert.deepEqual(usableVersions(["rsa_pkcs1_sha256", "rsa_pss_rsae_sha256"], range), range);
    assert.deepEqual(usableVersions(["ecdsa_secp256r1_sha256"], range), range);
  });
});

describe("turns", () => {
  it("pass on what the work of a later turn throws", async () => {
    const turns = new Turns();
    const reason = new Error("no");
    assert.equal(turns.run(() => 1), 1);
    await assert.rejects(
      async () =>
        await turns.run(() => {
          throw reason;
        }),
      (error) => error === reason,
    );
    assert.throws(() =>
      new Turns().run(() => {
        throw reason;
      }), (error) => error === reason);
  });

  it("are taken in order, one after the other, and then free again", async () => {
    const turns = new Turns();
    const order: number[] = [];
    const work = [1, 2, 3].map((number) => turns.run(() => order.push(number)));
    assert.deepEqual(order, [1]);
    await Promise.all(work);
    assert.deepEqual(order, [1, 2, 3]);
    // The last turn ends with the turn of the event loop.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(turns.run(() => "at once"), "at once");
  });
});
