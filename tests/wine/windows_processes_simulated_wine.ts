/**
 * Several processes of different runtimes on one Windows, which share keys of the simulated KSP.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { windowsKeys } from "../../backends/windows/mod.ts";
import { base64, fromBase64, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";
import { otherRuntimes, WindowsProcess } from "./support/windows_process.ts";

const DATA = utf8("to be signed");
const ID = "KeyGuardRSAKey";
const PSS = "rsa_pss_rsae_sha256";

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

describe("processes on Windows, over the simulated KSP", () => {
  let ksp: SimulatedKsp;
  before(async () => ksp = await SimulatedKsp.load());
  beforeEach(() => ksp.reset({ vbs: true }));
  after(() => ksp.reset());

  for (const runtime of otherRuntimes()) {
    describe(`this one and one of ${runtime.kind}`, () => {
      let other: WindowsProcess;
      beforeEach(() => other = WindowsProcess.start(runtime));

      /** Runs a test and ends the other process, whatever comes. */
      const withOther = (test: () => Promise<void>) => async () => {
        try {
          await test();
        } finally {
          await other.kill();
        }
      };

      it(
        "have the same key by its name, and each verifies what the other signs",
        withOther(async () => {
          const key = await windowsKeys().create(ID);
          const order = { sign: ID, scheme: PSS, data: base64(DATA) } as const;
          const { spki, signature } = await other.tell(order);
          assert.equal(spki, base64(key.spki));
          assert.ok(await verifySignature(PSS, key.spki, DATA, fromBase64(signature!)));
          const { spki: theirs } = await other.tell({ create: "theirs", algorithm: "RSA-2048" });
          const found = await windowsKeys().open("theirs");
          assert.equal(base64(found!.spki), theirs);
          const mine = await found!.sign(PSS, DATA);
          assert.ok(await verifySignature(PSS, found!.spki, DATA, mine));
        }),
      );

      it(
        "notice that a key was replaced or removed by the other",
        withOther(async () => {
          for (const algorithm of ["RSA-2048", "P-256"] as const) {
            const key = await windowsKeys().create(ID);
            await other.tell({ create: ID, algorithm });
            await assert.rejects(key.sign(PSS, DATA), isError("key_unusable"));
            assert.throws(() => key.signSync(PSS, DATA), isError("key_unusable"));
          }
          const key = await windowsKeys().create(ID);
          await other.tell({ remove: ID });
          await assert.rejects(key.sign(PSS, DATA), isError("key_unusable"));
          assert.equal(await windowsKeys().open(ID), undefined);
          assert.equal(ksp.liveHandles(), 0);
        }),
      );

      it(
        "find the other's key dead after a reboot",
        withOther(async () => {
          await other.tell({ create: ID, algorithm: "RSA-2048" });
          assert.notEqual(await windowsKeys().open(ID), undefined);
          ksp.reboot();
          await assert.rejects(windowsKeys().open(ID), isError("key_unusable"));
          await assert.rejects(
            other.tell({ sign: ID, scheme: PSS, data: base64(DATA) }),
            /key_unusable|can't be used/,
          );
        }),
      );

      it(
        "are both left with the one whole key when they make it at once",
        withOther(async () => {
          for (let i = 0; i < 5; i++) {
            const order = { create: ID, algorithm: "RSA-2048" } as const;
            await Promise.all([windowsKeys().create(ID), other.tell(order)]);
            const left = await windowsKeys().open(ID);
            assert.ok(left !== undefined, "no key is left");
            assert.ok(await verifySignature(PSS, left.spki, DATA, await left.sign(PSS, DATA)));
            const { spki } = await windowsKeys().create(ID);
            const seen = await other.tell({ sign: ID, scheme: PSS, data: base64(DATA) });
            assert.equal(seen.spki, base64(spki));
          }
        }),
      );
    });
  }
});
