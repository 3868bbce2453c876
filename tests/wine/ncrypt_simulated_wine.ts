/**
 * The simulated KSP itself: that it answers as Microsoft's documentation of the NCrypt functions
 * says. What other files show on it is worth as much as this.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { NcryptFunctions } from "../../backends/windows/functions.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { wide } from "../../backends/ffi/wide_text.ts";
import { type Bytes, hex } from "../../src/encoding.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";

const SOFTWARE = "Microsoft Software Key Storage Provider";
const PLATFORM = "Microsoft Platform Crypto Provider";
const [MACHINE_KEY, SILENT, OVERWRITE, ISOLATED, PER_BOOT] = [0x20, 0x40, 0x80, 0x20000, 0x40000];
const HASH = new Uint8Array(32).fill(7);

const BAD_FLAGS = 0x80090009;
const BAD_TYPE = 0x8009000a;
const BAD_KEY_STATE = 0x8009000b;
const EXISTS = 0x8009000f;
const PERM = 0x80090010;
const BAD_KEYSET = 0x80090016;
const INVALID_HANDLE = 0x80090026;
const INVALID_PARAMETER = 0x80090027;
const BUFFER_TOO_SMALL = 0x80090028;
const NOT_SUPPORTED = 0x80090029;
const NOT_READY = 0x80090030;
const NOT_FOUND = 0x80090035;

describe("the simulated KSP", () => {
  let ksp: SimulatedKsp;
  let ncrypt: NcryptFunctions;
  /** What the last call wrote its handle or size to. */
  const out = new Uint8Array(8);
  const handle = () => new DataView(out.buffer).getBigUint64(0, true);
  const size = () => new DataView(out.buffer).getUint32(0, true);

  before(async () => {
    ksp = await SimulatedKsp.load();
    ncrypt = (await windowsSystem()).ncrypt;
  });
  beforeEach(() => ksp.reset());
  after(() => ksp.reset());

  const is = (status: number, expected: number, what?: string) =>
    assert.equal(`0x${(status >>> 0).toString(16)}`, `0x${expected.toString(16)}`, what);
  const storage = (name = SOFTWARE) => {
    is(ncrypt.NCryptOpenStorageProvider(out, wide(name), 0), 0);
    return handle();
  };
  const creation = (provider: bigint, name: string, flags = 0, algorithm = "ECDSA_P256") =>
    ncrypt.NCryptCreatePersistedKey(provider, out, wide(algorithm), wide(name), 0, flags);
  const opening = (provider: bigint, name: string, flags = SILENT) =>
    ncrypt.NCryptOpenKey(provider, out, wide(name), 0, flags);
  const make = (provider: bigint, name: string, flags = 0, algorithm?: string) => {
    is(creation(provider, name, flags, algorithm), 0);
    const key = handle();
    is(ncrypt.NCryptFinalizeKey(key, SILENT), 0);
    return key;
  };
  const setting = (key: bigint, name: string, value: number) =>
    ncrypt.NCryptSetProperty(key, wide(name), new Uint8Array([value, value >> 8, 0, 0]), 4, SILENT);
  const getting = (key: bigint, name: string, buffer: Bytes) =>
    ncrypt.NCryptGetProperty(key, wide(name), buffer, buffer.length, out, SILENT);
  const exporting = (key: bigint, type: string, buffer = new Uint8Array(4096)) =>
    ncrypt.NCryptExportKey(key, 0n, wide(type), 0n, buffer, buffer.length, out, 0);
  const signing = (key: bigint, flags = SILENT, buffer: Bytes | null = new Uint8Array(512)) =>
    ncrypt.NCryptSignHash(key, null, HASH, 32, buffer!, buffer?.length ?? 0, out, flags);

  it("knows its two providers, and no others", () => {
    storage();
    storage(PLATFORM);
    const open = (name: string, flags = 0) =>
      ncrypt.NCryptOpenStorageProvider(out, wide(name), flags);
    is(open("Microsoft Enhanced Provider"), NOT_SUPPORTED);
    is(open(SOFTWARE.toLowerCase()), NOT_SUPPORTED);
    is(open(SOFTWARE, 1), BAD_FLAGS);
  });

  it("keeps a key once it is finished, under a name whose case doesn't count", () => {
    const provider = storage();
    is(opening(provider, "k"), BAD_KEYSET);
    is(creation(provider, "k"), 0);
    const key = handle();
    is(opening(provider, "k"), BAD_KEYSET);
    is(ncrypt.NCryptFinalizeKey(key, SILENT), 0);
    is(ncrypt.NCryptFinalizeKey(key, SILENT), BAD_KEY_STATE);
    is(opening(provider, "K"), 0);
    is(opening(provider, "k", MACHINE_KEY), BAD_KEYSET);
    is(opening(provider, "k", OVERWRITE), BAD_FLAGS);
    ksp.change({ tpm: "ready" });
    is(opening(storage(PLATFORM), "k"), BAD_KEYSET);
  });

  it("replaces a key only where the flag says so, and the other one at the last moment", () => {
    const provider = storage();
    const first = make(provider, "k");
    is(exporting(first, "ECCPUBLICBLOB"), 0);
    is(creation(provider, "k"), EXISTS);
    is(creation(provider, "k", OVERWRITE), 0);
    const second = handle();
    const publicKey = () => {
      is(opening(provider, "k"), 0);
      const blob = new Uint8Array(72);
      is(exporting(handle(), "ECCPUBLICBLOB", blob), 0);
      return hex(blob);
    };
    const before = publicKey();
    assert.equal(publicKey(), before);
    is(ncrypt.NCryptFinalizeKey(second, SILENT), 0);
    assert.notEqual(publicKey(), before);
  });

  it("refuses flags, algorithms and lengths that it doesn't know", () => {
    const provider = storage();
    is(creation(provider, "k", SILENT), BAD_FLAGS);
    is(creation(provider, "k", 0, "ECDSA_P521"), NOT_SUPPORTED);
    is(creation(provider, ""), INVALID_PARAMETER);
    is(creation(provider, "k", 0, "RSA"), 0);
    const key = handle();
    is(setting(key, "Length", 2049), NOT_SUPPORTED);
    is(setting(key, "Length", 3072), 0);
    is(setting(key, "Colour", 1), NOT_SUPPORTED);
    is(ncrypt.NCryptFinalizeKey(key, OVERWRITE), BAD_FLAGS);
  });

  it("has properties of a key that can be set until it is finished", () => {
    const key = make(storage(), "k");
    is(setting(key, "Key Usage", 2), BAD_KEY_STATE);
    const number = new Uint8Array(4);
    is(getting(key, "Length", number), 0);
    assert.deepEqual([size(), number[0], number[1]], [4, 0, 1]);
    is(getting(key, "Algorithm Group", number), BUFFER_TOO_SMALL);
    assert.equal(size(), 12);
    is(getting(key, "Unique Name", number), 0);
    is(getting(key, "Virtual Iso", number), NOT_SUPPORTED);
  });

  it("gives no private key, and a public one in its own format alone", () => {
    const provider = storage();
    const [ec, rsa] = [make(provider, "ec"), make(provider, "rsa", 0, "RSA")];
    for (
      const type of ["RSAPRIVATEBLOB", "RSAFULLPRIVATEBLOB", "PRIVATEBLOB", "PKCS8_PRIVATEKEY"]
    ) {
      is(exporting(rsa, type), NOT_SUPPORTED, type);
    }
    is(exporting(ec, "ECCPRIVATEBLOB"), NOT_SUPPORTED);
    is(exporting(ec, "RSAPUBLICBLOB"), BAD_TYPE);
    is(exporting(rsa, "ECCPUBLICBLOB"), BAD_TYPE);
    is(exporting(rsa, "RSAPUBLICBLOB", new Uint8Array(8)), BUFFER_TOO_SMALL);
    is(exporting(rsa, "RSAPUBLICBLOB"), 0);
  });

  it("signs with keys that are finished and for signatures, where padding and key agree", () => {
    const provider = storage();
    is(creation(provider, "k"), 0);
    const key = handle();
    is(signing(key), BAD_KEY_STATE);
    is(exporting(key, "ECCPUBLICBLOB"), BAD_KEY_STATE);
    is(ncrypt.NCryptFinalizeKey(key, SILENT), 0);
    is(signing(key, SILENT, null), 0);
    assert.equal(size(), 64);
    is(signing(key, SILENT, new Uint8Array(63)), BUFFER_TOO_SMALL);
    is(signing(key, SILENT | 8), BAD_FLAGS);
    is(signing(key, SILENT | 1), BAD_FLAGS);
    is(signing(make(provider, "rsa", 0, "RSA")), BAD_FLAGS);
    is(signing(handle(), SILENT | 2), INVALID_PARAMETER);
    is(creation(provider, "other"), 0);
    const other = handle();
    is(setting(other, "Key Usage", 1), 0);
    is(ncrypt.NCryptFinalizeKey(other, SILENT), 0);
    is(signing(other), PERM);
  });

  it("knows no handle after its end, and none of another kind", () => {
    const provider = storage();
    const key = make(provider, "k");
    assert.equal(ksp.liveHandles() >= 2, true);
    is(signing(provider), INVALID_HANDLE);
    is(opening(key, "k"), INVALID_HANDLE);
    is(ncrypt.NCryptFreeObject(key), 0);
    const successor = make(provider, "another");
    assert.notEqual(successor, key);
    for (const gone of [key, 0n, 1n, 0xffff_ffff_ffff_ffffn, key ^ 0x10000n]) {
      is(signing(gone), INVALID_HANDLE);
      is(exporting(gone, "ECCPUBLICBLOB"), INVALID_HANDLE);
      is(ncrypt.NCryptDeleteKey(gone, SILENT), INVALID_HANDLE);
      is(ncrypt.NCryptFreeObject(gone), INVALID_HANDLE);
    }
    is(ncrypt.NCryptDeleteKey(successor, SILENT), 0);
    is(ncrypt.NCryptFreeObject(successor), INVALID_HANDLE, "NCryptDeleteKey has freed it.");
    is(opening(provider, "another"), BAD_KEYSET);
    is(opening(provider, "k"), 0);
  });

  it("says that there is no VBS where a key is finished, and no TPM where one is made", () => {
    const provider = storage();
    is(creation(provider, "k", ISOLATED | PER_BOOT), 0);
    is(ncrypt.NCryptFinalizeKey(handle(), SILENT), 0x80890014);
    is(opening(provider, "k"), BAD_KEYSET);
    is(creation(storage(PLATFORM), "k"), NOT_FOUND);
    ksp.change({ tpm: "not_ready" });
    is(opening(storage(PLATFORM), "k"), NOT_READY);
  });

  it("keeps an isolated key isolated, and for this boot alone", () => {
    ksp.change({ vbs: true });
    const provider = storage();
    const key = make(provider, "k", ISOLATED | PER_BOOT);
    const flag = new Uint8Array(4);
    is(getting(key, "Virtual Iso", flag), 0);
    assert.equal(flag[0], 1);
    const lasting = make(provider, "lasting", ISOLATED);
    ksp.reboot();
    is(signing(key), 0x80090020);
    is(signing(lasting), 0);
    is(opening(provider, "k"), 0);
    ksp.change({ deadAt: "opening", deadStatus: 0x8009000d });
    is(opening(provider, "k"), 0x8009000d);
  });
});
