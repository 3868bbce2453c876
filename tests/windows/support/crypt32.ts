/**
 * The certificate stores of `crypt32.dll`, simulated: each certificate once, with its properties.
 *
 * @module
 */

import type { Crypt32Functions } from "../../../backends/windows/functions.ts";
import { type Bytes, concat, equalBytes } from "../../../src/encoding.ts";
import type { KeptCertificate, SimulatedMachine } from "./machine.ts";
import type { SimulatedKernel32 } from "./kernel32.ts";
import { native, type SimulatedMemory, wideOf } from "./memory.ts";

const EXISTS = 0x80092005;
const NOT_FOUND = 0x80092004;

const SCOPES: Readonly<Record<number, string>> = { 0x10000: "user", 0x20000: "machine" };

/** What a `CRYPT_KEY_PROV_INFO` says. */
export interface ProvInfo {
  readonly container: string;
  readonly provider: string;
  readonly type: number;
  readonly flags: number;
  readonly keySpec: number;
}

interface Context {
  readonly certificate: KeptCertificate;
  readonly scope: string | undefined;
  readonly struct: Bytes;
  readonly der: Bytes;
  references: number;
}

/** The functions of one process. */
export class SimulatedCrypt32 {
  readonly #machine: SimulatedMachine;
  readonly #memory: SimulatedMemory;
  readonly #kernel32: SimulatedKernel32;
  readonly #stores = new Map<bigint, string>();
  readonly #contexts = new Map<bigint, Context>();
  #next = 0x5000n;

  constructor(machine: SimulatedMachine, memory: SimulatedMemory, kernel32: SimulatedKernel32) {
    this.#machine = machine;
    this.#memory = memory;
    this.#kernel32 = kernel32;
  }

  /** Stores and references of contexts that are open. */
  get handles(): number {
    const references = [...this.#contexts.values()].map(({ references }) => references);
    return this.#stores.size + references.reduce((sum, count) => sum + count, 0);
  }

  readonly functions: Crypt32Functions = {
    CertOpenStore: native(
      (provider: bigint, encoding: number, crypt: bigint, flags: number, name: Uint8Array) => {
        const scope = SCOPES[flags];
        const isMy = provider === 10n && encoding === 0 && crypt === 0n && wideOf(name) === "My";
        if (scope === undefined || !isMy || this.#fails("CertOpenStore")) return 0n;
        this.#stores.set(this.#next, scope);
        return this.#next++;
      },
    ),

    CertCloseStore: native((store: bigint, flags: number) =>
      flags === 0 && this.#stores.delete(store) ? 1 : 0
    ),

    CertControlStore: native((store: bigint, _flags: number, control: number) =>
      this.#stores.has(store) && control === 3 ? 1 : 0
    ),

    CertEnumCertificatesInStore: native((store: bigint, previous: bigint) => {
      const scope = this.#stores.get(store)!;
      const kept = this.#machine.certificates[scope]!;
      const before = this.#contexts.get(previous)?.certificate;
      if (previous !== 0n) this.#free(previous);
      const next = kept[before === undefined ? 0 : kept.indexOf(before) + 1];
      if (next !== undefined) return this.#context(next, scope);
      this.#kernel32.lastError = NOT_FOUND;
      return 0n;
    }),

    CertCreateCertificateContext: native((encoding: number, der: Uint8Array, length: number) => {
      if (encoding !== 1 || this.#fails("CertCreateCertificateContext")) return 0n;
      const copy = Uint8Array.from(der.subarray(0, length));
      return this.#context({ der: copy, properties: new Map() }, undefined);
    }),

    CertDuplicateCertificateContext: native((context: bigint) => {
      this.#contexts.get(context)!.references++;
      return context;
    }),

    CertFreeCertificateContext: native((context: bigint) => this.#free(context)),

    CertSetCertificateContextProperty: native(
      (context: bigint, id: number, flags: number, value: Uint8Array) => {
        if (flags !== 0 || this.#fails("CertSetCertificateContextProperty")) return 0;
        const { properties } = this.#contexts.get(context)!.certificate;
        properties.set(id, id === 2 ? this.#readProvInfo(value) : this.#readBlob(value));
        return 1;
      },
    ),

    CertGetCertificateContextProperty: native(
      (context: bigint, id: number, out: Uint8Array | null, size: Uint8Array) => {
        const value = this.#contexts.get(context)!.certificate.properties.get(id);
        if (value === undefined) {
          this.#kernel32.lastError = NOT_FOUND;
          return 0;
        }
        const bytes = id === 2 ? this.#provInfo(value as ProvInfo, out) : value as Bytes;
        new DataView(size.buffer, size.byteOffset).setUint32(0, bytes.length, true);
        out?.set(bytes);
        return 1;
      },
    ),

    CertAddCertificateContextToStore: native(
      (store: bigint, context: bigint, disposition: number, out: bigint) => {
        if (this.#fails("CertAddCertificateContextToStore")) return 0;
        const kept = this.#machine.certificates[this.#stores.get(store)!]!;
        const { der, properties } = this.#contexts.get(context)!.certificate;
        if (disposition !== 1 || out !== 0n) throw new Error("Not as it is used here.");
        if (kept.some((other) => equalBytes(other.der, der))) {
          this.#kernel32.lastError = EXISTS;
          return 0;
        }
        kept.push({ der, properties: new Map(properties) });
        return 1;
      },
    ),

    CertDeleteCertificateFromStore: native((address: bigint) => {
      const { certificate, scope } = this.#contexts.get(address)!;
      const kept = this.#machine.certificates[scope!]!;
      const at = this.#fails("CertDeleteCertificateFromStore") ? -1 : kept.indexOf(certificate);
      if (at >= 0) kept.splice(at, 1);
      this.#free(address);
      return at >= 0 ? 1 : 0;
    }),
  };

  #fails(name: string): boolean {
    const fault = this.#machine.faultOf(name);
    if (fault !== 0) this.#kernel32.lastError = fault >>> 0;
    return fault !== 0;
  }

  /** A new `CERT_CONTEXT`: encoding, padding, DER, its size, padding, info, store. */
  #context(certificate: KeptCertificate, scope: string | undefined): bigint {
    const struct = new Uint8Array(40);
    const der = certificate.der.slice();
    const view = new DataView(struct.buffer);
    view.setUint32(0, 1, true);
    view.setBigUint64(8, this.#memory.addressOf(der), true);
    view.setUint32(16, der.length, true);
    const address = this.#memory.addressOf(struct);
    this.#contexts.set(address, { certificate, scope, struct, der, references: 1 });
    return address;
  }

  #free(address: bigint): number {
    const context = this.#contexts.get(address)!;
    if (--context.references === 0) {
      this.#contexts.delete(address);
      this.#memory.free(context.struct);
      this.#memory.free(context.der);
    }
    return 1;
  }

  #readBlob(bytes: Uint8Array): Bytes {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return this.#memory.read(view.getBigUint64(8, true), view.getUint32(0, true));
  }

  #readProvInfo(bytes: Uint8Array): ProvInfo {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const text = (at: number) => this.#memory.wideText(view.getBigUint64(at, true));
    return {
      container: text(0),
      provider: text(8),
      type: view.getUint32(16, true),
      flags: view.getUint32(20, true),
      keySpec: view.getUint32(40, true),
    };
  }

  /** The struct as it lies in `out`, its names behind it. */
  #provInfo(
    { container, provider, type, flags, keySpec }: ProvInfo,
    out: Uint8Array | null,
  ): Bytes {
    const wide = (text: string) =>
      new Uint8Array(Uint16Array.from(`${text}\0`.split(""), (c) => c.charCodeAt(0)).buffer);
    const struct = new Uint8Array(48);
    const view = new DataView(struct.buffer);
    const base = out === null ? 0n : this.#memory.addressOf(out);
    view.setBigUint64(0, base + 48n, true);
    view.setBigUint64(8, base + 48n + BigInt(wide(container).length), true);
    view.setUint32(16, type, true);
    view.setUint32(20, flags, true);
    view.setUint32(40, keySpec, true);
    return concat(struct, wide(container), wide(provider));
  }
}
