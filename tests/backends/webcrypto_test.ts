/**
 * Software keys: in memory, in files, and through a foreign implementation of WebCrypto.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { Crypto as PeculiarCrypto } from "@peculiar/webcrypto";
import { fileKeyStorage } from "../../backends/files/mod.ts";
import { type KeyStorage, webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { type Bytes, hex, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { isPemExportable, isSyncSigner } from "../../src/keys.ts";
import { decodePem } from "../../src/x509/pem.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { describeKeyProvider } from "../conformance/key_provider.ts";

describeKeyProvider(
  "webcryptoKeys",
  () => Promise.resolve({ provider: webcryptoKeys() }),
  { name: "webcrypto", removalIsImmediate: true },
);

describeKeyProvider(
  "webcryptoKeys with @peculiar/webcrypto",
  () => Promise.resolve({ provider: webcryptoKeys({ crypto: new PeculiarCrypto() }) }),
  { name: "webcrypto", removalIsImmediate: true, algorithms: ["P-256", "RSA-2048"] },
);

describeKeyProvider("webcryptoKeys with files", async () => {
  const directory = await mkdtemp(join(tmpdir(), "keybound-"));
  const make = () => webcryptoKeys({ storage: fileKeyStorage({ directory }) });
  return {
    provider: make(),
    another: () => Promise.resolve(make()),
    cleanup: () => rm(directory, { recursive: true }),
  };
}, { name: "webcrypto", algorithms: ["P-256", "RSA-2048"] });

describeKeyProvider("webcryptoKeys with files and @peculiar/webcrypto", async () => {
  const directory = await mkdtemp(join(tmpdir(), "keybound-"));
  const storage = fileKeyStorage({ directory });
  return {
    provider: webcryptoKeys({ storage, crypto: new PeculiarCrypto() }),
    another: () => Promise.resolve(webcryptoKeys({ storage })),
    cleanup: () => rm(directory, { recursive: true }),
  };
}, { name: "webcrypto", algorithms: ["P-256", "RSA-2048"] });

const P256 = { algorithm: "P-256" } as const;

describe("webcryptoKeys", () => {
  it("offers PSS before PKCS#1 and shorter digests before longer ones", async () => {
    const keys = webcryptoKeys();
    assert.deepEqual((await keys.create("k")).schemes, [
      "rsa_pss_rsae_sha256",
      "rsa_pss_rsae_sha384",
      "rsa_pss_rsae_sha512",
      "rsa_pkcs1_sha256",
      "rsa_pkcs1_sha384",
      "rsa_pkcs1_sha512",
    ]);
    assert.deepEqual((await keys.create("k", P256)).schemes, ["ecdsa_secp256r1_sha256"]);
  });

  it("gives keys that are exportable as PEM and no more", async () => {
    const key = await webcryptoKeys().create("k", P256);
    assert.ok(isPemExportable(key));
    assert.ok(!isSyncSigner(key));
  });

  it("gives RSA keys whose SPKI is rsaEncryption, though they sign PSS", async () => {
    const { spki } = await webcryptoKeys().create("k");
    assert.match(hex(spki), /^30820122300d06092a864886f70d0101010500/);
  });

  it("has no key left, not even to export, once it was removed", async () => {
    const keys = webcryptoKeys();
    const key = await keys.create("k", P256);
    await keys.remove("k");
    assert.ok(isPemExportable(key));
    await assertRejects(key.exportPem(), "key_unusable");
  });

  it("takes a replaced key out of use, as a device would", async () => {
    const keys = webcryptoKeys();
    const replaced = await keys.create("k", P256);
    const current = await keys.create("k", P256);
    await assertRejects(replaced.sign("ecdsa_secp256r1_sha256", utf8("data")), "key_unusable");
    await current.sign("ecdsa_secp256r1_sha256", utf8("data"));
  });

  it("stores no key whose creation was aborted", async () => {
    for (const storage of [undefined, memoryStorage()]) {
      const keys = webcryptoKeys(storage === undefined ? {} : { storage });
      const leaving = new AbortController();
      const creating = keys.create("k", { ...P256, signal: leaving.signal });
      leaving.abort(new Error("enough"));
      await assert.rejects(creating, /enough/);
      await webcryptoKeys().create("later", P256);
      assert.equal(await keys.open("k"), undefined);
    }
  });

  it("shows no private byte when a key is printed", async () => {
    const key = await webcryptoKeys().create("k", P256);
    await key.sign("ecdsa_secp256r1_sha256", utf8("data"));
    assert.ok(isPemExportable(key));
    const pkcs8 = decodePem(await key.exportPem(), "PRIVATE KEY")[0]!;
    const printed = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
    const listed = [...printed.matchAll(/\d+/g)].map(([number]) => number).join(",");
    assert.ok(!listed.includes(pkcs8.slice(36, 44).join(",")));
  });

  it("calls a failing generator key_provider_unavailable", async () => {
    const crypto = withSubtle({ generateKey: () => Promise.reject(new Error("no entropy")) });
    await assertRejects(webcryptoKeys({ crypto }).create("k"), "key_provider_unavailable");
  });

  it("calls a kind of key that the implementation lacks unsupported_key", async () => {
    const lacking = new DOMException("No such algorithm.", "NotSupportedError");
    const crypto = withSubtle({ generateKey: () => Promise.reject(lacking) });
    await assertRejects(webcryptoKeys({ crypto }).create("k"), "unsupported_key");
  });

  it("calls a key that WebCrypto refuses to sign with key_unusable", async () => {
    const crypto = withSubtle({ sign: () => Promise.reject(new Error("refused")) });
    const key = await webcryptoKeys({ crypto }).create("k", P256);
    await assertRejects(key.sign("ecdsa_secp256r1_sha256", utf8("data")), "key_unusable");
  });

  it("refuses stored bytes that are no key it can use with key_file_invalid", async () => {
    const storage = memoryStorage();
    const keys = webcryptoKeys({ storage });
    const unfit = [
      utf8("no key"),
      new Uint8Array(),
      await exported({ name: "ECDSA", namedCurve: "P-384" }),
      await exported(rsa(1024)),
    ];
    for (const pkcs8 of unfit) {
      await storage.write("k", pkcs8);
      await assertRejects(keys.open("k"), "key_file_invalid");
    }
    await keys.create("k", P256);
    assert.notEqual(await keys.open("k"), undefined);
  });

  it("reads a stored RSA key of a length that it doesn't make", async () => {
    const storage = memoryStorage();
    await storage.write("k", await exported(rsa(2560)));
    const key = await webcryptoKeys({ storage }).open("k");
    const signature = await key!.sign("rsa_pss_rsae_sha512", utf8("data"));
    const { spki } = key!;
    assert.ok(await verifySignature("rsa_pss_rsae_sha512", spki, utf8("data"), signature));
  });

  it("lets the errors of its storage through", async () => {
    const failure = new KeyboundError("key_provider_unavailable", "The disk is full.");
    const fail = () => Promise.reject(failure);
    const keys = webcryptoKeys({ storage: { read: fail, write: fail, remove: fail } });
    const isFailure = (error: unknown) => error === failure;
    await assert.rejects(keys.open("k"), isFailure);
    await assert.rejects(keys.create("k", P256), isFailure);
    await assert.rejects(keys.remove("k"), isFailure);
  });
});

function memoryStorage(): KeyStorage {
  const keys = new Map<string, Bytes>();
  return {
    read: (id) => Promise.resolve(keys.get(id)),
    write: (id, pkcs8) => Promise.resolve(void keys.set(id, pkcs8)),
    remove: (id) => Promise.resolve(void keys.delete(id)),
  };
}

/** The runtime's WebCrypto with some operations replaced. */
function withSubtle(replaced: Record<string, () => Promise<never>>): Crypto {
  const subtle = new Proxy(crypto.subtle, {
    get: (target, name) => {
      if (typeof name === "string" && name in replaced) return replaced[name];
      const operation: unknown = Reflect.get(target, name, target);
      return typeof operation === "function" ? operation.bind(target) : operation;
    },
  });
  return new Proxy(crypto, { get: (_, name) => name === "subtle" ? subtle : undefined });
}

function rsa(modulusLength: number): RsaHashedKeyGenParams {
  const publicExponent = Uint8Array.of(1, 0, 1);
  return { name: "RSA-PSS", hash: "SHA-256", modulusLength, publicExponent };
}

async function exported(algorithm: RsaHashedKeyGenParams | EcKeyGenParams): Promise<Bytes> {
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const { privateKey } = pair as CryptoKeyPair;
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
}

async function assertRejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => isKeyboundError(error, code));
}
