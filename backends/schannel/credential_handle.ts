/**
 * SChannel's credential handle: what the connections of one client have in common.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import type { VersionRange } from "../http/connections.ts";
import { wide } from "../ffi/wide_text.ts";
import { disabledProtocols, enabledProtocols } from "./protocols.ts";
import type { Schannel } from "./schannel.ts";
import { credentialFailure, isFailure } from "./statuses.ts";
import type { Structs } from "./structs.ts";

/** `SCH_CREDENTIALS_VERSION` and `SCHANNEL_CRED_VERSION`. */
const SCH_CREDENTIALS = 5;
const SCHANNEL_CRED = 4;
/** `SCH_CRED_MANUAL_CRED_VALIDATION`: the server is verified by `server_trust.ts`. */
const MANUAL_VALIDATION = 0x8;
/** `SCH_CRED_NO_DEFAULT_CREDS`: no certificate of SChannel's own choice. */
const NO_DEFAULT = 0x10;
/** `SCH_USE_STRONG_CRYPTO`. */
const STRONG_CRYPTO = 0x400000;
const FLAGS = MANUAL_VALIDATION | NO_DEFAULT | STRONG_CRYPTO;

/** `SECPKG_CRED_OUTBOUND`. */
const OUTBOUND = 2;
/** `UNISP_NAME`. */
const PACKAGE = "Microsoft Unified Security Protocol Provider";

const TLS_1_2: VersionRange = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" };

/** `TLS_PARAMETERS` that leave these protocols. */
export function encodeTlsParameters({ tlsParameters }: Structs, enabled: number): Bytes {
  return tlsParameters.encode({ grbitDisabledProtocols: disabledProtocols(enabled) });
}

/** `SCH_CREDENTIALS` with one certificate; both addresses are those of what is pointed to. */
export function encodeSchCredentials(
  { schCredentials }: Structs,
  addresses: { readonly certificates: bigint; readonly tlsParameters: bigint },
): Bytes {
  return schCredentials.encode({
    dwVersion: SCH_CREDENTIALS,
    cCreds: 1,
    paCred: addresses.certificates,
    dwFlags: FLAGS,
    cTlsParameters: 1,
    pTlsParameters: addresses.tlsParameters,
  });
}

/** `SCHANNEL_CRED` with one certificate. */
export function encodeSchannelCred(
  { schannelCred }: Structs,
  certificates: bigint,
  enabled: number,
): Bytes {
  return schannelCred.encode({
    dwVersion: SCHANNEL_CRED,
    cCreds: 1,
    paCred: certificates,
    grbitEnabledProtocols: enabled,
    dwFlags: FLAGS,
  });
}

/** A credential handle. */
export class CredentialHandle {
  /** The `CredHandle`. */
  readonly handle: Uint8Array;
  readonly #schannel: Schannel;
  #freed = false;

  private constructor(schannel: Schannel, handle: Uint8Array) {
    this.#schannel = schannel;
    this.handle = handle;
    schannel.count("credential", 1);
  }

  /**
   * A handle for the certificate at this address, within these versions. Rejects with
   * `key_unusable`, `key_provider_unavailable` or `transport_not_available`.
   */
  static async acquire(
    schannel: Schannel,
    certificate: bigint,
    range: VersionRange,
  ): Promise<CredentialHandle> {
    const { ffi, structs } = schannel;
    const certificates = schannel.newPointer(certificate);
    const parameters = encodeTlsParameters(structs, enabledProtocols(range));
    const handle = structs.secHandle.encode({});
    const older = () =>
      encodeSchannelCred(structs, ffi.addressOf(certificates), enabledProtocols(TLS_1_2));
    const latest = () =>
      encodeSchCredentials(structs, {
        certificates: ffi.addressOf(certificates),
        tlsParameters: ffi.addressOf(parameters),
      });
    let status = await acquire(
      schannel,
      range.maxVersion === "TLSv1.2" ? older() : latest(),
      handle,
    );
    if (isFailure(status) && range.minVersion !== range.maxVersion) {
      // Before Windows 10 1809 there is only the older struct, and no TLS 1.3.
      status = await acquire(schannel, older(), handle);
    }
    // Both are named here so that they live until now.
    if (isFailure(status) || certificates.length + parameters.length === 0) {
      throw credentialFailure(status);
    }
    return new CredentialHandle(schannel, handle);
  }

  /** Gives it back, its sessions with it. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#schannel.security.FreeCredentialsHandle(this.handle);
    this.#schannel.count("credential", -1);
  }
}

/** On another thread: LSASS looks for the key, wherever that is. */
function acquire({ security }: Schannel, struct: Bytes, handle: Uint8Array): Promise<number> {
  return security.AcquireCredentialsHandleW.threaded(
    null,
    wide(PACKAGE),
    OUTBOUND,
    null,
    struct,
    0n,
    0n,
    handle,
    new Uint8Array(8),
  );
}
