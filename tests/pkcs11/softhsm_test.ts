/**
 * A token in daily life, on SoftHSM: what is lost and found, and who may know of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { pkcs11Keys, pkcs11Store } from "../../backends/pkcs11/mod.ts";
import { runElsewhere } from "../../backends/ffi/operation.ts";
import { keyPlace } from "../../backends/pkcs11/key_pairs.ts";
import { holdModule } from "../../backends/pkcs11/registry.ts";
import { hex, utf8 } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { softHsm } from "../support/softhsm.ts";
import { assertRejects, DATA, ECDSA, P256, run, signs, useToken } from "./support/token_in_use.ts";

const BAD_PIN = "73915";

const token = await softHsm();

describe("a token of SoftHSM", () => {
  if (token === undefined) {
    it("is not there: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  const { options, opened, provider, tool } = useToken(token);

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
      // One of its own for each: a PIN that was refused doesn't get as far again.
      const failing: ((pin: string) => Promise<unknown>)[] = [
        (pin) => provider({ pin: () => pin }).open("k"),
        (pin) => provider({ pin: () => utf8(pin) }).create("k"),
        (pin) => provider({ uri: "pkcs11:token=absent", pin: () => pin }).remove("k"),
        (pin) => provider({ pin: () => pin.repeat(60) }).open("k"),
        (pin) => provider({ pin: () => `${pin}\0` }).open("k"),
        async (pin) => {
          const store = pkcs11Store({ ...options, pin: () => pin });
          await store.list("alias").finally(() => store.close());
        },
      ];
      for (const [i, attempt] of failing.entries()) {
        const pin = `${84_620_117 + i}`;
        for (let times = 0; times < 2; times++) {
          await assert.rejects(attempt(pin), (error) => {
            assert.ok(error instanceof KeyboundError);
            const shown = shownOf(error);
            for (const form of [pin, hex(utf8(pin)), utf8(pin).join(", ")]) {
              assert.ok(!shown.includes(form));
            }
            assert.doesNotMatch(shown, HANDLE);
            return true;
          });
        }
      }
      assert.equal(await provider().open("k"), undefined);
    });
  });

  describe("that loses something", () => {
    it("says key_unusable when another process has destroyed the key, and makes a new one", async () => {
      const keys = provider();
      const key = await keys.create("k", P256);
      await tool("--delete-object", "--type", "privkey", "--label", "k");
      const now = () => Promise.resolve().then(() => key.signSync(ECDSA, DATA));
      for (const attempt of [() => key.sign(ECDSA, DATA), now]) {
        await assert.rejects(attempt, (error) => {
          assert.doesNotMatch(shownOf(error), HANDLE);
          return isKeyboundError(error, "key_unusable");
        });
      }
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
});

/** Handles are the only numbers of this kind. */
const HANDLE = /\b\d+n\b/;

/** All of an error that a log could show, on one line. */
function shownOf(error: unknown): string {
  const options = { depth: 9, showHidden: true, maxArrayLength: null };
  return inspect(error, options).replaceAll(/\s+/g, " ");
}

/** The message of the error that a wrong PIN leads to. */
async function assertLocked(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(isKeyboundError(error, "key_provider_unavailable"), inspect(error));
  assert.equal(error.retryable, false);
  return error.message;
}
