/**
 * A certificate store in memory: nothing of it is written anywhere.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { Schannel } from "./schannel.ts";

/** `X509_ASN_ENCODING`. */
const ENCODING = 1;
/** `CERT_STORE_PROV_MEMORY`. */
const MEMORY = 2n;
/** `CERT_STORE_ADD_ALWAYS`. */
const ADD_ALWAYS = 4;

/** A store that lives until it is freed. */
export class MemoryStore {
  readonly handle: bigint;
  readonly #schannel: Schannel;
  #freed = false;

  /** An empty one. Throws `transport_not_available`. */
  constructor(schannel: Schannel) {
    this.#schannel = schannel;
    this.handle = schannel.certificates.CertOpenStore(MEMORY, 0, 0n, 0, 0n);
    if (this.handle === 0n) {
      throw new KeyboundError("transport_not_available", "Windows gave no certificate store.");
    }
    schannel.count("store", 1);
  }

  /** Adds a certificate (DER). Throws `invalid_certificate`. */
  add(der: Bytes): void {
    this.#add(der, null);
  }

  /** Adds a certificate (DER) and gives its context, which the caller frees. */
  addAndTake(der: Bytes): bigint {
    const context = this.#schannel.newPointer();
    this.#add(der, context);
    this.#schannel.count("certificate", 1);
    return this.#schannel.pointerIn(context);
  }

  #add(der: Bytes, context: Uint8Array | null): void {
    const { certificates } = this.#schannel;
    const added = certificates.CertAddEncodedCertificateToStore(
      this.handle,
      ENCODING,
      der,
      der.length,
      ADD_ALWAYS,
      context,
    );
    if (added !== 0) return;
    throw new KeyboundError(
      "invalid_certificate",
      "Windows can't read a certificate of the chain or of 'ca'.",
    );
  }

  /** Gives it back; certificates that others hold stay theirs. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#schannel.certificates.CertCloseStore(this.handle, 0);
    this.#schannel.count("store", -1);
  }
}
