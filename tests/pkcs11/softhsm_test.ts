/**
 * A token in daily life, on SoftHSM: what is lost and found, and who may know of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, it } from "node:test";
import { inspect, promisify } from "node:util";
import {
  pkcs11Key,
  type Pkcs11KeyProvider,
  pkcs11Keys,
  type Pkcs11Options,
  pkcs11Store,
} from "../../backends/pkcs11/mod.ts";
import { CKA, CKM, CKO } from "../../backends/pkcs11/constants.ts";
import { runElsewhere } from "../../backends/pkcs11/operation.ts";
import { keyPlace } from "../../backends/pkcs11/key_pairs.ts";
import { holdModule } from "../../backends/pkcs11/registry.ts";
import { Token } from "../../backends/pkcs11/token.ts";
import { type Bytes, hex, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { isPemExportable, type SigningKey } from "../../src/keys.ts";
import { ecdsaSignatureFromDer } from "../../src/x509/ecdsa.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";
import { softHsm } from "../support/softhsm.ts";
import { emptyToken, optionsOf } from "./support/tokens.ts";

const run = promisify(execFile);
const P256 = { algorithm: "P-256" } as const;
const ECDSA = "ecdsa_secp256r1_sha256";
const DATA = utf8("to be signed");
const BAD_PIN = "73915";

const token = await softHsm();

describe("a token of SoftHSM", () => {
  if (token === undefined) {
    it("is not there: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  const options = optionsOf(token);
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await emptyToken(options);
  });
  after(() => token.destroy());

  const provider = (more: Partial<Pkcs11Options> = {}): Pkcs11KeyProvider => {
    const keys = pkcs11Keys({ ...options, ...more });
    opened.push(keys);
    return keys;
  };
  const tool = (...args: string[]) =>
    run("pkcs11-tool", [
      ...["--module", token.library, "--token-label", token.label],
      ...["--login", "--pin", token.pin, ...args],
    ]);

  describe("that can't be used", () => {
    it("is key_provider_unavailable where its module isn't there or isn't one", async () => {
      const path = join(token.directory, "no_module.so");
      const gone = provider({ module: path });
      await assertRejects(gone.open("k"), "key_provider_unavailable", path);
      await writeFile(path, "no library");
      await assertRejects(gone.open("k"), "key_provider_unavailable", path);
    });

    it("is key_provider_unavailable where none has its label, or it wants a PIN", async () => {
      const absent = provider({ uri: "pkcs11:token=absent" });
      await assertRejects(absent.open("k"), "key_provider_unavailable", "TOKEN_NOT_PRESENT");
      const silent = pkcs11Keys({ uri: options.uri, module: token.library });
      opened.push(silent);
      await assertRejects(silent.open("k"), "key_provider_unavailable", "'pin'");
    });

    it("is refused at once where the options say nothing of a module", () => {
      const isInvalid = (error: unknown) => isKeyboundError(error, "invalid_argument");
      assert.throws(() => pkcs11Keys({}), isInvalid);
      assert.throws(() => pkcs11Keys({ module: "libsofthsm2.so" }), isInvalid);
      assert.throws(() => pkcs11Keys({ ...options, maxSessions: 0 }), isInvalid);
    });

    it("is tried once with a wrong PIN, however many ask, and again when the PIN is another", async () => {
      let pin = BAD_PIN;
      let asked = 0;
      const keys = provider({ pin: () => (asked++, pin) });
      const other = provider({ pin: () => Promise.resolve(utf8(pin)) });
      const all = [keys, other, provider({ pin: () => pin }), provider({ pin: () => pin })];
      const attempts = all.map((each) => assertLocked(each.open("k")));
      const reasons = await Promise.all(attempts);
      assert.equal(reasons.filter((reason) => reason.includes("CKR_PIN_INCORRECT")).length, 1);
      assert.equal(reasons.filter((reason) => reason.includes("isn't tried again")).length, 3);
      assert.ok(asked > 0);
      pin = token.pin;
      assert.equal(await keys.open("k"), undefined);
    });

    it("keeps its PIN out of every error", async () => {
      const failing = [
        () => provider({ pin: () => BAD_PIN }).open("k"),
        () => provider({ pin: () => Promise.reject(new Error("no PIN today")) }).create("k"),
        () => provider({ uri: "pkcs11:token=absent", pin: () => BAD_PIN }).remove("k"),
        () => pkcs11Store({ ...options, pin: () => BAD_PIN }).list("alias"),
      ];
      for (const attempt of failing) {
        await assert.rejects(attempt(), (error) => {
          assert.ok(error instanceof KeyboundError);
          assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(BAD_PIN));
          return true;
        });
      }
    });
  });

  describe("that loses something", () => {
    it("says key_unusable when another process has destroyed the key, and makes a new one", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      await tool("--delete-object", "--type", "privkey", "--label", "k");
      await assertRejects(key.sign(ECDSA, DATA), "key_unusable");
      assert.throws(() => key.signSync(ECDSA, DATA), (e) => isKeyboundError(e, "key_unusable"));
      assert.equal(await keys.open("k"), undefined);
      const successor = await keys.create("k", P256);
      assert.ok(await signs(successor));
      await assertRejects(key.sign(ECDSA, DATA), "key_unusable");
    });

    it("never takes a login that was lost for a key that was lost", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      const held = await holdModule(token.library);
      const { cryptoki } = held.module;
      // What closes every session of a token also logs out, and hides its private objects.
      const closeAll = async () => {
        const [slot] = await runElsewhere(cryptoki.slots());
        for (let session = 1n; session < 60n; session++) {
          await runElsewhere(cryptoki.closeSession(session)).catch(() => {});
        }
        assert.ok(
          !await runElsewhere(cryptoki.isLoggedIn(
            await runElsewhere(cryptoki.openSession(slot!, false)),
          )),
        );
      };
      await closeAll();
      assert.ok(await signs(key));
      await closeAll();
      assert.equal(hex((await keys.open("k"))!.spki), hex(key.spki));
      await closeAll();
      assert.equal((await keys.list()).length, 1);
      await held.release();
    });

    it("comes back by itself when its module was ended under it", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      const held = await holdModule(token.library);
      await runElsewhere(held.module.cryptoki.finalize());
      assert.ok(await signs(key));
      await runElsewhere(held.module.cryptoki.finalize());
      assert.throws(
        () => key.signSync(ECDSA, DATA),
        (error) => isKeyboundError(error, "key_provider_unavailable") && error.retryable,
      );
      assert.ok(await signs(key));
      assert.ok(await verifySignature(ECDSA, key.spki, DATA, key.signSync(ECDSA, DATA)));
      await held.release();
    });

    it("has lost its keys when it was initialized anew", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      const { stdout } = await run("softhsm2-util", ["--show-slots"]);
      const [, slot] = /Slot (\d+)/.exec(stdout)!;
      await run("softhsm2-util", [
        ...["--init-token", "--slot", slot!, "--label", token.label],
        ...["--pin", token.pin, "--so-pin", token.soPin],
      ]);
      await assertRejects(key.sign(ECDSA, DATA), "key_unusable");
      assert.equal(await keys.open("k"), undefined);
      assert.ok(await signs(await keys.create("k", P256)));
    });

    it("keeps the old key when none can be made in its place", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      const signal = AbortSignal.timeout(0);
      await assert.rejects(keys.create("k", { algorithm: "RSA-3072", signal }));
      assert.ok(await signs(key));
      await keys.remove("other");
      assert.equal(hex((await keys.open("k"))!.spki), hex(key.spki));
    });

    it("opens the same one of several pairs, wherever it is asked", async () => {
      const keys = provider();
      await keys.create("k", P256);
      await tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", hex(keyPlace("k").id));
      const spkis = await Promise.all([provider(), provider(), keys].map(async (each) => {
        const key = (await each.open("k"))!;
        assert.ok(await signs(key));
        return hex(key.spki);
      }));
      assert.equal(new Set(spkis).size, 1);
      await keys.remove("k");
      assert.deepEqual(await keys.list(), []);
    });
  });

  describe("and its keys", () => {
    it("never leave it", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      assert.equal(key.strength, "hardware");
      assert.ok(!isPemExportable(key));
      const inside = new Token(options);
      const read = await inside.run(async ({ cryptoki, session, run }) => {
        const where = [cryptoki.ofClass(CKO.PRIVATE_KEY), [CKA.ID, keyPlace("k").id]] as const;
        const [handle] = await run(cryptoki.find(session, where));
        const read = async (type: number) => await run(cryptoki.attribute(session, handle!, type));
        const flags = [CKA.TOKEN, CKA.PRIVATE, CKA.SENSITIVE, CKA.EXTRACTABLE, CKA.SIGN];
        const values: (number | undefined)[] = [];
        for (const flag of flags) values.push((await read(flag))?.[0]);
        return { values, secret: await read(CKA.VALUE) };
      });
      await inside.close();
      assert.deepEqual(read, { values: [1, 1, 1, 0, 1], secret: undefined });
    });

    it("are software where the token would give them away", async () => {
      const inside = new Token(options);
      await inside.run(async ({ cryptoki, session, run }) => {
        const [yes, no] = [Uint8Array.of(1), Uint8Array.of(0)];
        const common = [[CKA.TOKEN, yes], [CKA.LABEL, utf8("loose")]] as const;
        const curve = Uint8Array.of(6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7);
        await run(cryptoki.generateKeyPair(
          session,
          { type: CKM.EC_KEY_PAIR_GEN },
          [...common, [CKA.EC_PARAMS, curve]],
          [...common, [CKA.SENSITIVE, no], [CKA.EXTRACTABLE, yes], [CKA.SIGN, yes]],
        ));
      }, { writable: true });
      await inside.close();
      const key = await pkcs11Key({ ...options, uri: `${options.uri};object=loose` });
      opened.push(key);
      assert.equal(key.strength, "software");
    });

    it("sign 50 things at once in a few sessions", async () => {
      const keys = provider({ maxSessions: 3 });
      const key = await keys.create("k", P256);
      const messages = Array.from({ length: 50 }, (_, i) => utf8(`message ${i}`));
      const signatures = await Promise.all(messages.map((message) => key.sign(ECDSA, message)));
      for (const [i, signature] of signatures.entries()) {
        assert.ok(await verifySignature(ECDSA, key.spki, messages[i]!, signature));
      }
    });

    it("sign at once while they sign in the background, each what it was given", async () => {
      const key = await provider().create("k", { algorithm: "RSA-2048" });
      const background = Array.from({ length: 20 }, (_, i) => utf8(`background ${i}`));
      const signing = background.map((data) => key.sign("rsa_pss_rsae_sha256", data));
      for (let i = 0; i < 20; i++) {
        const data = utf8(`foreground ${i}`);
        const signature = key.signSync("rsa_pkcs1_sha256", data);
        assert.ok(await verifySignature("rsa_pkcs1_sha256", key.spki, data, signature));
      }
      for (const [i, signature] of (await Promise.all(signing)).entries()) {
        const scheme = "rsa_pss_rsae_sha256";
        assert.ok(await verifySignature(scheme, key.spki, background[i]!, signature));
      }
    });

    it("sign ECDSA in DER as short as it can be", async () => {
      const key = await provider().create("k", P256);
      const lengths = new Set<number>();
      for (let i = 0; i < 60; i++) {
        const signature = key.signSync(ECDSA, utf8(`${i}`));
        lengths.add(signature.length);
        // The reader refuses numbers that aren't minimal or positive.
        assert.equal(ecdsaSignatureFromDer(signature, 32).length, 64);
      }
      assert.ok(lengths.size > 1, "numbers with and without a sign octet");
    });

    it("sign what openssl verifies", async () => {
      const keys = provider();
      const [ec, rsa] = [await keys.create("ec", P256), await keys.create("rsa")];
      assert.equal(await opensslVerifies(ec, ECDSA, []), true);
      assert.equal(await opensslVerifies(rsa, "rsa_pkcs1_sha256", []), true);
      const pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];
      assert.equal(await opensslVerifies(rsa, "rsa_pss_rsae_sha256", pss), true);
      assert.equal(await opensslVerifies(rsa, "rsa_pkcs1_sha256", pss), false);
    });

    it("are listed, and found again by their URIs", async () => {
      const keys = provider();
      const made = await keys.create("client key", P256);
      await keys.create("other");
      const listed = await keys.list();
      assert.deepEqual(
        listed.map(({ label, algorithm }) => `${label}: ${algorithm}`).sort(),
        ["client key: P-256", "other: RSA-2048"],
      );
      const { uri } = listed.find(({ label }) => label === "client key")!;
      const key = await pkcs11Key({ ...options, uri });
      opened.push(key);
      assert.equal(hex(key.spki), hex(made.spki));
      assert.ok(await signs(key));
      assert.match(key.id, /^pkcs11:token=keybound;object=client%20key;id=%/);
    });

    it("of others are used by URI, and refused where the URI names none", async () => {
      await tool("--keypairgen", "--key-type", "rsa:2048", "--label", "theirs", "--id", "0a0b");
      const open = async (attributes: string) => {
        const key = await pkcs11Key({ ...options, uri: `${options.uri}${attributes}` });
        opened.push(key);
        return key;
      };
      await assertRejects(open(";object=absent"), "key_unusable");
      await assertRejects(open(""), "invalid_argument");
      await assertRejects(open(";object=theirs;type=cert"), "invalid_argument");
      for (const attributes of [";object=theirs", ";id=%0a%0b", ";object=theirs;id=%0A%0B"]) {
        const key = await open(attributes);
        const signature = await key.sign("rsa_pss_rsae_sha384", DATA);
        assert.ok(await verifySignature("rsa_pss_rsae_sha384", key.spki, DATA, signature));
      }
    });

    it("are closed with their provider, and the token is logged out", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      const signing = [key.sign(ECDSA, DATA), key.sign(ECDSA, DATA)];
      const held = await holdModule(token.library);
      await keys.close();
      for (const signature of await Promise.all(signing)) {
        assert.ok(await verifySignature(ECDSA, key.spki, DATA, signature));
      }
      await assertRejects(key.sign(ECDSA, DATA), "closed");
      await assertRejects(keys.open("k"), "closed");
      // A login lasts as long as any session.
      const { cryptoki } = held.module;
      const [slot] = await runElsewhere(cryptoki.slots());
      const session = await runElsewhere(cryptoki.openSession(slot!, false));
      assert.equal(await runElsewhere(cryptoki.isLoggedIn(session)), false);
      await held.release();
    });
  });

  describe("and its certificates", () => {
    it("carry the id of their key, for other programs", async () => {
      const key = await provider().create("k", P256);
      const issuer = await certificateAuthority();
      const { der: certificate } = await issueCertificate({ spki: key.spki, issuer });
      const store = pkcs11Store(options);
      opened.push(store);
      await store.put("alias", { certificate, endpoint: "https://a.example/t", clientId: "id" });
      const { stdout } = await tool("--list-objects", "--type", "cert");
      assert.match(stdout, new RegExp(`ID: +${hex(keyPlace("k").id)}`));
      const file = join(token.directory, "certificate.der");
      await tool("--read-object", "--type", "cert", "-o", file, "--id", hex(keyPlace("k").id));
      const { stdout: text } = await run("openssl", ["x509", "-in", file, "-noout", "-subject"]);
      assert.match(text, /CN = ?3c5a7c2e-/);
    });

    it("are taken only from who knows the PIN", async () => {
      const store = pkcs11Store(options);
      opened.push(store);
      const { der: certificate } = await issueCertificate();
      await store.put("alias", { certificate, endpoint: "https://a.example/t", clientId: "id" });
      const inside = new Token(options);
      await inside.run(async ({ cryptoki, session, run }) => {
        const [data] = await run(cryptoki.find(session, [cryptoki.ofClass(CKO.DATA)]));
        const read = async (type: number) => (await run(cryptoki.attribute(session, data!, type)))!;
        const [label, value] = [await read(CKA.LABEL), await read(CKA.VALUE)];
        await run(cryptoki.destroyObject(session, data!));
        await run(cryptoki.createObject(session, [
          cryptoki.ofClass(CKO.DATA),
          [CKA.TOKEN, Uint8Array.of(1)],
          [CKA.PRIVATE, Uint8Array.of(0)],
          [CKA.APPLICATION, utf8("keybound")],
          [CKA.LABEL, label],
          [CKA.VALUE, value],
        ]));
      }, { writable: true });
      await inside.close();
      assert.deepEqual(await store.list("alias"), []);
    });

    it("are locked by the lock that the store was given", async () => {
      const names: string[] = [];
      const store = pkcs11Store({
        ...options,
        lock: async (name, work) => (names.push(name), await work()),
      });
      opened.push(store);
      assert.equal(await store.lock("alias", () => Promise.resolve("done")), "done");
      assert.deepEqual(names, ["alias"]);
    });
  });
});

async function signs(key: SigningKey): Promise<boolean> {
  return await verifySignature(ECDSA, key.spki, DATA, await key.sign(ECDSA, DATA));
}

async function opensslVerifies(
  key: SigningKey,
  scheme: Parameters<SigningKey["sign"]>[0],
  more: readonly string[],
): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), "keybound-"));
  const path = (name: string) => join(directory, name);
  try {
    await writeFile(path("key"), encodePem("PUBLIC KEY", key.spki));
    await writeFile(path("data"), DATA);
    await writeFile(path("signature"), (await key.sign(scheme, DATA)) satisfies Bytes);
    const files = ["-verify", path("key"), "-signature", path("signature"), path("data")];
    return await run("openssl", ["dgst", "-sha256", ...more, ...files]).then(
      () => true,
      () => false,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function assertRejects(
  promise: Promise<unknown>,
  code: ErrorCode,
  reason: string = "",
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isKeyboundError(error, code), inspect(error));
    assert.ok(error.message.includes(reason), error.message);
    return true;
  });
}

/** The message of the error that a wrong PIN leads to. */
async function assertLocked(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(isKeyboundError(error, "key_provider_unavailable"), inspect(error));
  assert.equal(error.retryable, false);
  return error.message;
}
