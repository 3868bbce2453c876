/**
 * A certificate store of Windows. Everything here happens at once: nobody comes in between.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";
import { certContextSize, decodeCertContext, encodeTextBlob } from "./certificate_structs.ts";
import { CERT_PROPERTY, CERT_STORE, ERROR, X509_ASN_ENCODING } from "./constants.ts";
import { decodeKeyProvInfo, encodeKeyProvInfo } from "./key_prov_info.ts";
import type { WindowsSystem } from "./system.ts";
import { fromWide, wide } from "../ffi/wide_text.ts";

/** Whose certificates. */
export type StoreScope = "machine" | "user";

/** A certificate in a store. */
export interface StoreCertificate {
  /** Its DER. */
  readonly der: Bytes;
  /** Its friendly name; "" where it has none. */
  readonly friendlyName: string;
  /** Where its key is, if it says so. */
  readonly keyContainer: KeyContainer | undefined;
}

/** What of the system is needed here. */
type StoreSystem = Pick<WindowsSystem, "crypt32" | "kernel32" | "memory">;

/** More than a certificate or a property of one has. */
const MAX_SIZE = 65_536;

/** The certificates in `My`; close it. */
export class CertificateStore {
  readonly #system: StoreSystem;
  readonly #handle: bigint;

  /** Opens the store; throws `store_unavailable`. */
  constructor(system: StoreSystem, scope: StoreScope) {
    this.#system = system;
    const flags = scope === "machine" ? CERT_STORE.LOCAL_MACHINE : CERT_STORE.CURRENT_USER;
    const { PROVIDER_SYSTEM_W } = CERT_STORE;
    this.#handle = system.crypt32.CertOpenStore(PROVIDER_SYSTEM_W, 0, 0n, flags, wide("My"));
    if (this.#handle === 0n) throw this.#failure("CertOpenStore");
  }

  /** All certificates in it. */
  list(): StoreCertificate[] {
    const certificates: StoreCertificate[] = [];
    this.#each((_context, certificate) => certificates.push(certificate));
    return certificates;
  }

  /**
   * Adds a certificate; `false` where it is there already, under whatever name.
   * Throws `store_unavailable`.
   */
  add(der: Bytes, friendlyName: string, keyContainer: KeyContainer | undefined): boolean {
    const { crypt32, kernel32, memory: { platform, addressOf } } = this.#system;
    const encoding = X509_ASN_ENCODING;
    const context = crypt32.CertCreateCertificateContext(encoding, der, der.length);
    if (context === 0n) throw this.#failure("CertCreateCertificateContext");
    try {
      // With its properties from the start: others see it whole or not at all.
      const name = encodeTextBlob(friendlyName, platform, addressOf);
      this.#set(context, CERT_PROPERTY.FRIENDLY_NAME, name);
      if (keyContainer !== undefined) {
        const info = encodeKeyProvInfo(keyContainer, platform, addressOf);
        this.#set(context, CERT_PROPERTY.KEY_PROV_INFO, info);
      }
      const { ADD_NEW } = CERT_STORE;
      if (crypt32.CertAddCertificateContextToStore(this.#handle, context, ADD_NEW, 0n) === 0) {
        if (kernel32.GetLastError() === ERROR.CRYPT_E_EXISTS) return false;
        throw this.#failure("CertAddCertificateContextToStore");
      }
    } finally {
      crypt32.CertFreeCertificateContext(context);
    }
    this.#commit();
    return true;
  }

  /**
   * Deletes the certificates that fit and says how many there were. Throws `store_unavailable` where
   * this user may not.
   */
  remove(fits: (certificate: StoreCertificate) => boolean): number {
    const { crypt32, kernel32 } = this.#system;
    const doomed: bigint[] = [];
    try {
      this.#each((context, certificate) => {
        if (fits(certificate)) doomed.push(crypt32.CertDuplicateCertificateContext(context));
      });
    } catch (error) {
      for (const context of doomed) crypt32.CertFreeCertificateContext(context);
      throw error;
    }
    // Deletion gives the context back, whether or not it succeeds: another may have been faster.
    const denials = doomed.map((context) =>
      crypt32.CertDeleteCertificateFromStore(context) === 0 ? kernel32.GetLastError() : 0
    ).filter(isDenial);
    if (doomed.length > 0) this.#commit();
    if (denials[0] !== undefined) throw failure("CertDeleteCertificateFromStore", denials[0]);
    return doomed.length;
  }

  /** Gives the store back. */
  close(): void {
    this.#system.crypt32.CertCloseStore(this.#handle, 0);
  }

  #each(visit: (context: bigint, certificate: StoreCertificate) => void): void {
    const { crypt32 } = this.#system;
    const next = (previous: bigint) => crypt32.CertEnumCertificatesInStore(this.#handle, previous);
    // Each step gives the context before it back.
    for (let context = next(0n); context !== 0n; context = next(context)) {
      try {
        const certificate = this.#read(context);
        if (certificate !== undefined) visit(context, certificate);
      } catch (error) {
        crypt32.CertFreeCertificateContext(context);
        throw error;
      }
    }
  }

  #read(context: bigint): StoreCertificate | undefined {
    const { memory } = this.#system;
    const { platform } = memory;
    const struct = memory.read(context, certContextSize(platform));
    const { address, size } = decodeCertContext(struct, platform);
    if (size > MAX_SIZE) return undefined;
    const info = this.#property(context, CERT_PROPERTY.KEY_PROV_INFO);
    const name = this.#property(context, CERT_PROPERTY.FRIENDLY_NAME);
    return {
      der: memory.read(address, size),
      friendlyName: name === undefined ? "" : fromWide(name),
      keyContainer: info && decodeKeyProvInfo(info, platform, memory.addressOf(info)),
    };
  }

  #property(context: bigint, id: number): Bytes | undefined {
    const { CertGetCertificateContextProperty: read } = this.#system.crypt32;
    const size = new Uint8Array(4);
    const view = new DataView(size.buffer);
    if (read(context, id, null, size) === 0) return undefined;
    const length = view.getUint32(0, true);
    if (length > MAX_SIZE) return undefined;
    const value = new Uint8Array(length);
    return read(context, id, value, size) === 0
      ? undefined
      // The bytes themselves, not a copy: a struct in them points into them.
      : value.subarray(0, view.getUint32(0, true));
  }

  #set(context: bigint, id: number, value: Bytes): void {
    const { crypt32 } = this.#system;
    if (crypt32.CertSetCertificateContextProperty(context, id, 0, value) === 0) {
      throw this.#failure("CertSetCertificateContextProperty");
    }
  }

  /** Windows has written by now; Wine does it here. */
  #commit(): void {
    this.#system.crypt32.CertControlStore(this.#handle, 0, CERT_STORE.CONTROL_COMMIT, 0n);
  }

  #failure(operation: string): KeyboundError {
    return failure(operation, this.#system.kernel32.GetLastError());
  }
}

/** The same refusal, by the two names that Windows has for it. */
function isDenial(error: number): boolean {
  return error === ERROR.ACCESS_DENIED || error === ERROR.E_ACCESSDENIED;
}

function failure(operation: string, error: number): KeyboundError {
  const advice = isDenial(error)
    ? "This user may not write it: run as one who may, or use the user's own store."
    : "See the error in Microsoft's documentation.";
  const code = `0x${error.toString(16)}`;
  return new KeyboundError(
    "store_unavailable",
    `The certificate store can't be used: ${operation} failed with ${code}. ${advice}`,
  );
}

/** Runs `work` on the store, and closes it. */
export function withCertificates<T>(
  system: StoreSystem,
  scope: StoreScope,
  work: (store: CertificateStore) => T,
): T {
  const store = new CertificateStore(system, scope);
  try {
    return work(store);
  } finally {
    store.close();
  }
}
