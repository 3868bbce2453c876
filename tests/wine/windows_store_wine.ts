/**
 * The certificate store and mutex of Windows under Wine: crypt32 and kernel32 are Wine's own. Wine
 * has no named CNG keys, so the certificates name none here, or one that isn't there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { windowsStore } from "../../backends/windows/mod.ts";
import { withCertificates } from "../../backends/windows/certificates.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { hex } from "../../src/encoding.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { describeCertStore } from "../conformance/cert_store.ts";
import { issueCertificate } from "../support/certificates.ts";

/** Deletes all certificates of ours. */
async function clear(): Promise<void> {
  const ours = ({ friendlyName }: { friendlyName: string }) => friendlyName.startsWith("MSAL|");
  withCertificates(await windowsSystem(), "user", (store) => store.remove(ours));
}

describeCertStore("windowsStore under Wine", async (clock) => {
  await clear();
  return { store: windowsStore({ clock }), cleanup: clear };
}, { name: "windows", keepsCertificatesOnce: true });

describe("windowsStore under Wine", () => {
  const ALIAS = "wine#att=1";
  const clientId = "3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";
  const endpoint = "https://mtlsauth.example/t";

  it("keeps where a certificate's key is, and deletes one whose key is gone", async () => {
    await clear();
    const { der: certificate } = await issueCertificate();
    const place = {
      container: "keybound-schlüssel-🔑",
      provider: "Microsoft Software Key Storage Provider",
      providerType: 0,
      keySpec: 0,
      machine: false,
    };
    const store = windowsStore({ keys: { containerOf: () => place } });
    const system = await windowsSystem();
    const name = `MSAL|alias=${ALIAS}|ep=${endpoint}`;
    withCertificates(system, "user", (my) => assert.ok(my.add(certificate, name, place)));
    const [kept] = withCertificates(system, "user", (my) => my.list())
      .filter(({ friendlyName }) => friendlyName === name);
    assert.equal(hex(kept!.der), hex(certificate));
    assert.deepEqual(kept!.keyContainer, place);
    withCertificates(system, "user", (my) => assert.ok(!my.add(certificate, name, place)));
    await store.evict(ALIAS);
    assert.deepEqual(await store.list(ALIAS), []);
  });

  it("keeps a certificate from one opening of the store to the next", async () => {
    await clear();
    const { der: certificate } = await issueCertificate();
    await windowsStore().put(ALIAS, { certificate, endpoint, clientId });
    const [found] = await windowsStore().list(ALIAS);
    assert.equal(hex(found!.certificate), hex(certificate));
    assert.equal(found!.clientId, clientId);
    assert.ok(parseCertificate(found!.certificate).notAfter > Date.now());
    await clear();
  });
});
