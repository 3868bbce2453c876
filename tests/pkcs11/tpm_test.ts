/**
 * A token in daily life, on a TPM 2: what it loses, and what it says of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach, describe, it } from "node:test";
import { inspect, promisify } from "node:util";
import { type Pkcs11KeyProvider, pkcs11Keys, pkcs11Store } from "../../backends/pkcs11/mod.ts";
import { Token } from "../../backends/pkcs11/token.ts";
import { hex, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { issueCertificate } from "../support/certificates.ts";
import { softwareTpm } from "../support/swtpm.ts";
import { emptyToken, optionsOf } from "./support/tokens.ts";

const run = promisify(execFile);
const P256 = { algorithm: "P-256" } as const;
const ECDSA = "ecdsa_secp256r1_sha256";
const DATA = utf8("to be signed");

const token = await softwareTpm();

describe("a token in a TPM", () => {
  if (token === undefined) {
    it("is not there: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  const options = optionsOf(token);
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await emptyToken(options).catch(() => {});
  });
  after(() => token.destroy());

  const provider = (): Pkcs11KeyProvider => {
    const keys = pkcs11Keys(options);
    opened.push(keys);
    return keys;
  };

  it("is key_provider_unavailable while the TPM is away, and comes back with it", async () => {
    const keys = provider();
    const key = await keys.create("k", P256);
    assert.ok(await signs(key));
    await token.stop();
    await assertRejects(key.sign(ECDSA, DATA), "key_provider_unavailable");
    assert.throws(
      () => key.signSync(ECDSA, DATA),
      (error) => isKeyboundError(error, "key_provider_unavailable") && error.retryable,
    );
    await assertRejects(keys.open("k"), "key_provider_unavailable");
    // The old key goes only once there is a new one.
    await assertRejects(keys.create("k", P256), "key_provider_unavailable");
    await token.start();
    assert.ok(await signs(key));
    assert.ok(await verifySignature(ECDSA, key.spki, DATA, key.signSync(ECDSA, DATA)));
    assert.equal(hex((await keys.open("k"))!.spki), hex(key.spki));
  });

  // tpm2-pkcs11 1.9 gives one handle to several objects once the first ones were destroyed.
  it("makes one key in place of another, more than the TPM holds at one time", async () => {
    const keys = provider();
    const signatures: boolean[] = [];
    for (let i = 0; i < 30; i++) signatures.push(await signs(await keys.create("k", P256)));
    assert.deepEqual(new Set(signatures), new Set([true]));
    assert.equal((await keys.list()).length, 1);
  });

  it("has PSS with the salt that TLS wants, though it doesn't list the mechanism", async () => {
    const key = await provider().create("k");
    assert.equal(key.strength, "hardware");
    assert.equal(key.schemes.length, 6);
    const { stdout } = await run("pkcs11-tool", ["--module", token.library, "-M"]);
    assert.doesNotMatch(stdout, /PSS/);
    for (const scheme of key.schemes) {
      assert.ok(
        await verifySignature(scheme, key.spki, DATA, await key.sign(scheme, DATA)),
        scheme,
      );
    }
  });

  it("signs 50 things at once", async () => {
    const key = await provider().create("k", P256);
    const messages = Array.from({ length: 50 }, (_, i) => utf8(`message ${i}`));
    const signatures = await Promise.all(messages.map((message) => key.sign(ECDSA, message)));
    for (const [i, signature] of signatures.entries()) {
      assert.ok(await verifySignature(ECDSA, key.spki, messages[i]!, signature));
    }
  });

  it("that goes in the middle of 50 signatures leaves none hanging, and signs again afterwards", async () => {
    const key = await provider().create("k", P256);
    const messages = Array.from({ length: 50 }, (_, i) => utf8(`message ${i}`));
    let done = 0;
    let few: () => void;
    const enough = new Promise<void>((resolve) => few = resolve);
    const signing = messages.map(async (message) => {
      const signature = await key.sign(ECDSA, message);
      if (++done === 5) few();
      return signature;
    });
    const settled = Promise.allSettled(signing);
    await enough;
    await token.stop();
    let failed = 0;
    for (const [i, result] of (await settled).entries()) {
      if (result.status === "fulfilled") {
        assert.ok(await verifySignature(ECDSA, key.spki, messages[i]!, result.value));
      } else {
        assert.ok(isKeyboundError(result.reason, "key_provider_unavailable"));
        failed++;
      }
    }
    assert.ok(failed > 0, "it was gone before the last");
    await token.start();
    assert.ok(await signs(key));
  });

  it("has no more sessions than it needs, and none of ours after close", async () => {
    const inside = new Token(options);
    opened.push(inside);
    const sessions = () =>
      inside.run(async ({ cryptoki, run }) => {
        const [slot] = await run(cryptoki.slots());
        return (await run(cryptoki.tokenInfo(slot!))).sessions!;
      });
    const alone = await sessions();
    const keys = pkcs11Keys({ ...options, maxSessions: 3 });
    const key = await keys.create("k", P256);
    await Promise.all(Array.from({ length: 20 }, () => key.sign(ECDSA, DATA)));
    // One that keeps the login, and those for signatures.
    const working = await sessions();
    assert.ok(working > alone && working <= alone + 4, `${working}`);
    await keys.close();
    assert.equal(await sessions(), alone);
  });

  it("gives back to another process what was stored in it", async () => {
    const keys = provider();
    const { spki } = await keys.create("k", P256);
    const store = pkcs11Store(options);
    opened.push(store);
    const { der: certificate } = await issueCertificate();
    await store.put("alias", { certificate, endpoint: "https://a.example/t", clientId: "id" });
    assert.equal((await store.list("alias")).length, 1);
    await keys.close();
    await store.close();
    const { stdout } = await run("pkcs11-tool", [
      ...["--module", token.library, "--token-label", token.label, "--list-objects"],
      ...["--login", "--pin", token.pin],
    ]);
    assert.match(stdout, /Private Key Object; EC/);
    assert.match(stdout, /Certificate Object; type = X.509/);
    assert.equal(hex((await provider().open("k"))!.spki), hex(spki));
  });

  it("is out of use, not its keys, once the TPM was cleared: nothing is thrown away", async () => {
    const keys = provider();
    const key = await keys.create("k", P256);
    await token.clear();
    await assertRejects(key.sign(ECDSA, DATA), "key_provider_unavailable");
    await assertRejects(keys.open("k"), "key_provider_unavailable");
    await assertRejects(keys.create("k", P256), "key_provider_unavailable");
  });
});

async function signs(key: SigningKey): Promise<boolean> {
  return await verifySignature(ECDSA, key.spki, DATA, await key.sign(ECDSA, DATA));
}

async function assertRejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isKeyboundError(error, code), inspect(error));
    return true;
  });
}
