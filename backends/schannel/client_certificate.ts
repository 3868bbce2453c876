/**
 * The client's certificate as SChannel wants it: tied to a private key that stays where it is.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";
import { wide } from "../ffi/wide_text.ts";
import { MemoryStore } from "./memory_store.ts";
import type { Schannel } from "./schannel.ts";
import type { Structs } from "./structs.ts";

/** `CERT_KEY_PROV_INFO_PROP_ID`. */
const KEY_PROV_INFO = 2;
/** `CRYPT_MACHINE_KEYSET`, which is `NCRYPT_MACHINE_KEY_FLAG`. */
const MACHINE = 0x20;
/** `CRYPT_SILENT`, which is `NCRYPT_SILENT_FLAG`: nobody is there to answer a question. */
const SILENT = 0x40;

/** `CRYPT_KEY_PROV_INFO` for this key; the texts are at these addresses. */
export function encodeKeyContainer(
  { keyProvInfo }: Structs,
  { providerType, keySpec, machine }: KeyContainer,
  texts: { readonly container: bigint; readonly provider: bigint },
): Bytes {
  return keyProvInfo.encode({
    pwszContainerName: texts.container,
    pwszProvName: texts.provider,
    dwProvType: providerType,
    dwFlags: SILENT | (machine ? MACHINE : 0),
    dwKeySpec: keySpec,
  });
}

/**
 * A certificate whose key Windows finds by name. SChannel signs in another process (LSASS), to which
 * a handle of this one means nothing.
 */
export class ClientCertificate {
  /** The `CERT_CONTEXT`. */
  readonly context: bigint;
  readonly #schannel: Schannel;
  readonly #store: MemoryStore;
  #freed = false;

  /** The leaf of this chain (DER, leaf first), the rest beside it. Throws `invalid_certificate`. */
  constructor(schannel: Schannel, chain: readonly Bytes[], key: KeyContainer) {
    const { ffi, certificates } = schannel;
    this.#schannel = schannel;
    this.#store = new MemoryStore(schannel);
    try {
      const [leaf = new Uint8Array(0), ...issuers] = chain;
      for (const issuer of issuers) this.#store.add(issuer);
      this.context = this.#store.addAndTake(leaf);
    } catch (error) {
      this.#store.free();
      throw error;
    }
    const [container, provider] = [wide(key.container), wide(key.provider)];
    const info = encodeKeyContainer(schannel.structs, key, {
      container: ffi.addressOf(container),
      provider: ffi.addressOf(provider),
    });
    const set = certificates.CertSetCertificateContextProperty(
      this.context,
      KEY_PROV_INFO,
      0,
      info,
    );
    // The texts are named here so that they live until now.
    if (set !== 0 && container.length + provider.length > 0) return;
    this.free();
    throw new KeyboundError("key_unusable", "Windows doesn't take the name of the client's key.");
  }

  /** Gives it back. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#schannel.certificates.CertFreeCertificateContext(this.context);
    this.#schannel.count("certificate", -1);
    this.#store.free();
  }
}
