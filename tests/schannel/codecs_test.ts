/**
 * The structs that SChannel and CryptoAPI take, byte by byte, as the headers of 64-bit Windows lay
 * them out. No call is made.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applicationProtocols,
  BUFFER,
  bufferList,
  extraOf,
} from "../../backends/schannel/buffers.ts";
import { encodeKeyContainer } from "../../backends/schannel/client_certificate.ts";
import {
  encodeSchannelCred,
  encodeSchCredentials,
  encodeTlsParameters,
} from "../../backends/schannel/credential_handle.ts";
import {
  disabledProtocols,
  enabledProtocols,
  usableVersions,
} from "../../backends/schannel/protocols.ts";
import { wide } from "../../backends/ffi/wide_text.ts";
import { structs } from "../../backends/schannel/structs.ts";
import { hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";

const WINDOWS = structs({ pointer: 8, long: 4 });

/** Hexadecimal of fields, one text a field. */
function fields(...texts: readonly string[]): string {
  return texts.join("").replaceAll(" ", "");
}

describe("structs of 64-bit Windows", () => {
  it("have the sizes of the headers", () => {
    const sizes = Object.entries(WINDOWS).map(([name, { size }]) => [name, size]);
    assert.deepEqual(Object.fromEntries(sizes), {
      // As much of it as is read.
      chainContext: 8,
      secHandle: 16,
      secBuffer: 16,
      secBufferDesc: 16,
      schannelCred: 80,
      schCredentials: 72,
      tlsParameters: 40,
      streamSizes: 20,
      certContext: 40,
      keyProvInfo: 48,
      chainPara: 32,
      chainEngineConfig: 80,
      policyPara: 16,
      sslPolicyPara: 24,
      policyStatus: 24,
      pointer: 8,
    });
  });

  it("have their fields where the compiler of mingw-w64 has them (offsetof)", () => {
    const offsets: Record<string, Record<string, number>> = {
      schannelCred: { paCred: 8, grbitEnabledProtocols: 56, dwFlags: 72 },
      schCredentials: { cCreds: 8, paCred: 16, dwFlags: 52, pTlsParameters: 64 },
      tlsParameters: { grbitDisabledProtocols: 16, dwFlags: 32 },
      streamSizes: { cbHeader: 0, cbMaximumMessage: 8 },
      certContext: { pbCertEncoded: 8, cbCertEncoded: 16, hCertStore: 32 },
      keyProvInfo: { pwszContainerName: 0, dwProvType: 16, dwFlags: 20, dwKeySpec: 40 },
      chainContext: { dwErrorStatus: 4 },
      chainPara: { dwType: 8, cUsageIdentifier: 16, rgpszUsageIdentifier: 24 },
      chainEngineConfig: {
        hRestrictedRoot: 8,
        rghAdditionalStore: 40,
        dwFlags: 48,
        dwUrlRetrievalTimeout: 52,
        MaximumCachedCertificates: 56,
        hExclusiveRoot: 64,
      },
      policyPara: { dwFlags: 4, pvExtraPolicyPara: 8 },
      sslPolicyPara: { dwAuthType: 4, fdwChecks: 8, pwszServerName: 16 },
      policyStatus: { dwError: 4 },
    };
    for (const [name, expected] of Object.entries(offsets)) {
      const { offsets: ours } = WINDOWS[name as keyof typeof WINDOWS];
      assert.deepEqual({ ...ours, ...expected }, ours, name);
    }
  });

  it("hold SCHANNEL_CRED: version 4, one certificate, its versions, manual validation", () => {
    const bytes = encodeSchannelCred(WINDOWS, 0x1122334455667788n, 0x800);
    assert.equal(
      hex(bytes),
      fields(
        "04000000 01000000", // dwVersion, cCreds
        "8877665544332211", // paCred
        "0000000000000000", // hRootStore
        "00000000 00000000 0000000000000000", // cMappers, aphMappers
        "00000000 00000000 0000000000000000", // cSupportedAlgs, palgSupportedAlgs
        "00080000", // grbitEnabledProtocols
        "00000000 00000000 00000000", // strengths, dwSessionLifespan
        "18004000 00000000", // dwFlags, dwCredFormat
      ),
    );
  });

  it("hold SCH_CREDENTIALS: version 5, one certificate, TLS parameters", () => {
    const bytes = encodeSchCredentials(WINDOWS, {
      certificates: 0x1122334455667788n,
      tlsParameters: 0x99aabbccddeeff00n,
    });
    assert.equal(
      hex(bytes),
      fields(
        "05000000 00000000", // dwVersion, dwCredFormat
        "01000000 00000000 8877665544332211", // cCreds, paCred
        "0000000000000000", // hRootStore
        "00000000 00000000 0000000000000000", // cMappers, aphMappers
        "00000000 18004000", // dwSessionLifespan, dwFlags
        "01000000 00000000 00ffeeddccbbaa99", // cTlsParameters, pTlsParameters
      ),
    );
  });

  it("hold TLS_PARAMETERS that disable all but the versions asked for", () => {
    const bytes = encodeTlsParameters(WINDOWS, 0x2800);
    assert.equal(
      hex(bytes),
      fields(
        "00000000 00000000 0000000000000000", // cAlpnIds, rgstrAlpnIds
        "ffd7ffff 00000000 0000000000000000", // grbitDisabledProtocols, crypto
        "00000000 00000000", // dwFlags
      ),
    );
  });

  it("hold CRYPT_KEY_PROV_INFO, silent, for a CNG key of the user and a CAPI key of the machine", () => {
    const texts = { container: 0x10n, provider: 0x20n };
    const names = { container: "c", provider: "p" };
    const cng = { ...names, providerType: 0, keySpec: 0, machine: false };
    const capi = { ...names, providerType: 24, keySpec: 1, machine: true };
    const start = "1000000000000000 2000000000000000";
    const middle = "00000000 00000000 0000000000000000";
    assert.equal(
      hex(encodeKeyContainer(WINDOWS, cng, texts)),
      fields(start, "00000000 40000000", middle, "00000000 00000000"),
    );
    assert.equal(
      hex(encodeKeyContainer(WINDOWS, capi, texts)),
      fields(start, "18000000 60000000", middle, "01000000 00000000"),
    );
  });

  it("hold a list of buffers, and give it back as SSPI left it", () => {
    let array: Uint8Array = new Uint8Array(0);
    const addressOf = (bytes: Uint8Array) => {
      array = bytes;
      return 0xabcdn;
    };
    const list = bufferList(WINDOWS, addressOf, [
      { type: BUFFER.TOKEN, address: 0x1000n, length: 7 },
      { type: BUFFER.EMPTY },
    ]);
    assert.equal(hex(list.description), fields("00000000 02000000 cdab000000000000"));
    assert.equal(
      hex(array),
      fields("07000000 02000000 0010000000000000", "00000000 00000000 0000000000000000"),
    );
    // What SSPI does: the second is what was left over, with an attribute beside its type.
    array.set([3, 0, 0, 0, 5, 0, 0, 0x80], 16);
    assert.deepEqual(list.read(), [
      { type: BUFFER.TOKEN, address: 0x1000n, length: 7 },
      { type: BUFFER.EXTRA, address: 0n, length: 3 },
    ]);
    assert.equal(extraOf(list.read()), 3);
    assert.equal(extraOf(list.read().slice(0, 1)), 0);
  });

  it("hold SEC_APPLICATION_PROTOCOLS for ALPN", () => {
    assert.throws(() => applicationProtocols([""]), RangeError);
    assert.throws(() => applicationProtocols(["x".repeat(256)]), RangeError);
    assert.equal(
      hex(applicationProtocols(["h2", "http/1.1"])),
      fields("12000000 02000000 0c00", "026832", "08687474702f312e31"),
    );
  });

  it("hold text in UTF-16 with a zero at the end", () => {
    assert.equal(hex(wide("aé😀")), "6100e9003dd800de0000");
  });
});

describe("versions of TLS", () => {
  it("are the bits of SChannel", () => {
    assert.equal(enabledProtocols({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }), 0x800);
    assert.equal(enabledProtocols({ minVersion: "TLSv1.3", maxVersion: "TLSv1.3" }), 0x2000);
    assert.equal(enabledProtocols({ minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }), 0x2800);
    assert.equal(disabledProtocols(0x2800), 0xffffd7ff);
  });

  it("end at 1.2 for a key that signs by PKCS#1 alone", () => {
    const both = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
    const latest = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;
    assert.throws(
      () => usableVersions(["rsa_pkcs1_sha256"], latest),
      (error) => isKeyboundError(error, "unsupported_scheme"),
    );
    assert.equal(usableVersions(["rsa_pkcs1_sha256"], both).maxVersion, "TLSv1.2");
    assert.deepEqual(usableVersions(["rsa_pkcs1_sha256", "rsa_pss_rsae_sha256"], both), both);
    assert.deepEqual(usableVersions(["ecdsa_secp256r1_sha256"], latest), latest);
  });
});
