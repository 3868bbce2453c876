/**
 * The certificate store and its mutex, with keys and certificates made for the purpose.
 *
 * @module
 */

import {
  type WindowsKeyProvider,
  windowsKeys,
  type WindowsSigningKey,
  windowsStore,
} from "../../../backends/windows/mod.ts";
import { type StoreCertificate, withCertificates } from "../../../backends/windows/certificates.ts";
import { base64, type Bytes } from "../../../src/encoding.ts";
import { isKeyboundError } from "../../../src/errors.ts";
import type { CertStore } from "../../../src/stores.ts";
import {
  type CertificateAuthority,
  certificateAuthority,
  issueCertificate,
} from "../../support/certificates.ts";
import { type Host, otherProcess } from "./host.ts";
import { expect } from "./verification.ts";

const ENDPOINT = "https://verify.example/tenant";

/** Part of the issuer's name of managed identity certificates (protocol.md section 2.3). */
const MANAGED_IDENTITY = "managedidentitysnissuer.login.microsoft.com";

/** The checks. Nothing is deleted but what bears this run's name. */
export async function verifyStore(host: Host): Promise<void> {
  const { verification, system, run } = host;
  const isOurs = ({ friendlyName }: StoreCertificate) => friendlyName.includes(run);
  const others = () =>
    withCertificates(system, "user", (store) => store.list())
      .filter((certificate) => !isOurs(certificate))
      .map(({ der }) => base64(der));
  const before = others();
  const keys = windowsKeys({ system: () => Promise.resolve(system) });
  const id = `verify ${run} store`;
  try {
    await new StoreChecks(host, keys, id).all();
  } finally {
    withCertificates(system, "user", (store) => store.remove(isOurs));
    await keys.remove(id).catch(() => {});
  }
  await verification.check("other certificates are untouched", async () => {
    const after = await Promise.resolve(others());
    expect(before.every((der) => after.includes(der)), "One that isn't ours is gone.");
    return `${before.length} before and after`;
  });
}

class StoreChecks {
  readonly #host: Host;
  readonly #keys: WindowsKeyProvider;
  readonly #id: string;
  readonly #store: CertStore;
  readonly #clientId = crypto.randomUUID();

  constructor(host: Host, keys: WindowsKeyProvider, id: string) {
    this.#host = host;
    this.#keys = keys;
    this.#id = id;
    this.#store = windowsStore({ keys, system: () => Promise.resolve(host.system) });
  }

  async all(): Promise<void> {
    await this.#roundTrip();
    await this.#mutex();
    await this.#orphan();
    await this.#purge();
  }

  #alias(name: string): string {
    return `verify-${this.#host.run}-${name}#att=0`;
  }

  /** A certificate over the key, and its name in the store. */
  async #issue(key: WindowsSigningKey, issuer: CertificateAuthority): Promise<Bytes> {
    const subject = `CN=${this.#clientId}`;
    return (await issueCertificate({ spki: key.spki, issuer, subject })).der;
  }

  async #put(name: string, certificate: Bytes): Promise<void> {
    const binding = { certificate, endpoint: ENDPOINT, clientId: this.#clientId };
    await this.#store.put(this.#alias(name), binding);
  }

  /** What the store of Windows itself has under an alias. */
  #kept(name: string): readonly StoreCertificate[] {
    const friendlyName = `MSAL|alias=${this.#alias(name)}|ep=${ENDPOINT}`;
    return withCertificates(this.#host.system, "user", (store) => store.list())
      .filter((certificate) => certificate.friendlyName === friendlyName);
  }

  async #create(): Promise<WindowsSigningKey> {
    return await this.#keys.create(this.#id, { algorithm: "RSA-2048" });
  }

  async #roundTrip(): Promise<void> {
    const { verification } = this.#host;
    const alias = this.#alias("round-trip");
    const issuer = await certificateAuthority("CN=keybound verification");
    await verification.check("a certificate is kept, with friendly name and key", async () => {
      const key = await this.#create();
      const der = await this.#issue(key, issuer);
      await this.#put("round-trip", der);
      const [found, ...rest] = await this.#store.list(alias);
      expect(found !== undefined && rest.length === 0, `${rest.length} entries too many.`);
      expect(base64(found.certificate) === base64(der), "Another certificate.");
      expect(found.clientId === this.#clientId && found.endpoint === ENDPOINT, "Other names.");
      const [kept] = this.#kept("round-trip");
      expect(kept !== undefined, "Not under its friendly name.");
      const { container, provider, providerType, keySpec } = kept.keyContainer ?? {};
      expect(container === key.keyContainer.container, "It names another key.");
      return `key in '${provider}', type ${providerType}, spec ${keySpec}`;
    });
    await verification.check("another process reads it", async () => {
      const other = otherProcess({ do: "list", alias });
      const seen = await other.next() as string[];
      await other.kill();
      expect(seen.length === 1, `It reads ${seen.length} entries.`);
      return "the same entry";
    });
    await verification.check("it can be evicted", async () => {
      const evicted = await this.#store.evict(alias);
      expect(evicted === 1 && this.#kept("round-trip").length === 0, "It is there still.");
      return "nothing is left";
    });
  }

  async #mutex(): Promise<void> {
    const alias = this.#alias("mutex");
    await this.#host.verification.check(
      "the mutex keeps out another process, until that one is killed",
      async () => {
        const other = otherProcess({ do: "hold", alias });
        try {
          await other.next();
          const refused = await this.#store.lock(alias, () => Promise.resolve(), { timeout: 300 })
            .then(() => undefined, (error: unknown) => error);
          expect(isKeyboundError(refused, "store_lock_timeout"), `Not kept out: ${refused}`);
        } finally {
          await other.kill();
        }
        const start = performance.now();
        await this.#store.lock(alias, () => Promise.resolve(), { timeout: 10_000 });
        return `free ${(performance.now() - start).toFixed(0)} ms after its end`;
      },
    );
  }

  async #orphan(): Promise<void> {
    await this.#host.verification.check(
      "a certificate whose key was removed is deleted when it is read",
      async () => {
        const issuer = await certificateAuthority("CN=keybound verification");
        await this.#put("orphan", await this.#issue(await this.#create(), issuer));
        await this.#keys.remove(this.#id);
        expect(this.#kept("orphan").length === 1, "It wasn't kept.");
        expect((await this.#store.list(this.#alias("orphan"))).length === 0, "It is given out.");
        expect(this.#kept("orphan").length === 0, "It is there still.");
        return "deleted";
      },
    );
  }

  async #purge(): Promise<void> {
    await this.#host.verification.check(
      "a new key takes the managed identity certificates of the old one with it, and no others",
      async () => {
        const issuer = await certificateAuthority("CN=keybound verification");
        const lookAlike = await certificateAuthority(
          `CN=${MANAGED_IDENTITY}, O=keybound verification`,
        );
        const key = await this.#create();
        await this.#put("purged", await this.#issue(key, lookAlike));
        await this.#put("spared", await this.#issue(key, issuer));
        await this.#create();
        expect(this.#kept("purged").length === 0, "It is there still.");
        expect(this.#kept("spared").length === 1, "One of another issuer is gone.");
        return "purged by issuer and key";
      },
    );
  }
}
