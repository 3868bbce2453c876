/**
 * Keys and certificates in a token of SoftHSM: what they are, and what they sign.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pkcs11Key, pkcs11Store } from "../../backends/pkcs11/mod.ts";
import { CKA, CKM, CKO } from "../../backends/pkcs11/constants.ts";
import { runElsewhere } from "../../backends/ffi/operation.ts";
import { keyPlace } from "../../backends/pkcs11/key_pairs.ts";
import { holdModule } from "../../backends/pkcs11/registry.ts";
import { Token } from "../../backends/pkcs11/token.ts";
import { type Bytes, hex, utf8 } from "../../src/encoding.ts";
import { isPemExportable, type SigningKey } from "../../src/keys.ts";
import { ecdsaSignatureFromDer } from "../../src/x509/ecdsa.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";
import { softHsm } from "../support/softhsm.ts";
import { assertRejects, DATA, ECDSA, P256, run, signs, useToken } from "./support/token_in_use.ts";

const token = await softHsm();

describe("what is in a token of SoftHSM", () => {
  if (token === undefined) {
    it("is not there: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  const { options, opened, provider, tool } = useToken(token);

  describe("its keys", () => {
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

  describe("its certificates", () => {
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
