/**
 * Keys and certificates in TPM 2: what every backend does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { pkcs11Keys, pkcs11Store } from "../../backends/pkcs11/mod.ts";
import { describeCertStore } from "../conformance/cert_store.ts";
import { describeKeyProvider } from "../conformance/key_provider.ts";
import { softwareTpm } from "../support/swtpm.ts";
import { emptyToken, optionsOf } from "./support/tokens.ts";

const token = await softwareTpm();

describe("TPM 2", () => {
  if (token === undefined) {
    it("is not installed: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  after(() => token.destroy());
  const options = optionsOf(token);

  describeKeyProvider("pkcs11Keys", () => {
    const providers = [pkcs11Keys(options)];
    return Promise.resolve({
      provider: providers[0]!,
      another: () => {
        providers.push(pkcs11Keys(options));
        return Promise.resolve(providers.at(-1)!);
      },
      cleanup: async () => {
        await emptyToken(options);
        await Promise.all(providers.map((provider) => provider.close()));
      },
    });
  }, { name: "pkcs11", strength: "hardware", removalIsImmediate: true });

  describeCertStore("pkcs11Store", (clock) => {
    const stores = [pkcs11Store({ ...options, clock })];
    return Promise.resolve({
      store: stores[0]!,
      another: () => {
        stores.push(pkcs11Store({ ...options, clock }));
        return Promise.resolve(stores.at(-1)!);
      },
      cleanup: async () => {
        await emptyToken(options);
        await Promise.all(stores.map((store) => store.close()));
      },
    });
  }, { name: "pkcs11" });
});
