/**
 * CNG under Wine: how keys are made, exported and used, by Wine's own ncrypt.dll. It opens no key by
 * its name and knows no elliptic curves, so a key lives as long as its handle here.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cng } from "../../backends/windows/cng.ts";
import { runElsewhere, runHere } from "../../backends/ffi/operation.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { cngAlgorithm, possibleSchemes, TIERS } from "../../backends/windows/tiers.ts";
import { utf8 } from "../../src/encoding.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";

const DATA = utf8("to be signed");
const PLACE = { container: "keybound-test", provider: TIERS.software.provider, machine: false };

describe("CNG under Wine", () => {
  // A key for each: one that has signed in one scheme refuses others (Wine's GnuTLS).
  for (const scheme of possibleSchemes(undefined, "software")) {
    it(`makes an RSA key that signs ${scheme}, on this thread and on others`, async () => {
      const cng = new Cng(await windowsSystem());
      const algorithm = cngAlgorithm("RSA-2048")!;
      const key = await runElsewhere(cng.create(PLACE, TIERS.software, algorithm, () => {}));
      try {
        const spki = await runElsewhere(cng.publicKey(key.handle));
        const expected = { type: "rsa", modulusBits: 2048, exponent: 65537 };
        assert.deepEqual(publicKeyAlgorithm(spki), expected);
        runHere(cng.confirm(key.handle, spki));
        for (const run of [runHere, runElsewhere]) {
          const signature = await run(cng.sign(key.handle, scheme, DATA));
          assert.ok(await verifySignature(scheme, spki, DATA, signature));
        }
      } finally {
        key.close();
      }
    });
  }

  it("makes no key once whoever asked has left", async () => {
    const cng = new Cng(await windowsSystem());
    const leave = () => {
      throw new Error("left");
    };
    const algorithm = cngAlgorithm("RSA-2048")!;
    await assert.rejects(
      runElsewhere(cng.create(PLACE, TIERS.software, algorithm, leave)),
      /left/,
    );
  });
});
