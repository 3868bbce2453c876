/**
 * The C structs of SSPI, SChannel and CryptoAPI that are used here (`sspi.h`, `schannel.h`,
 * `wincrypt.h`), field by field.
 *
 * @module
 */

import { type Layout, layout, type Platform } from "../ffi/mod.ts";

/** `CredHandle` and `CtxtHandle`: 16 opaque bytes where pointers have 8. */
const SEC_HANDLE = { lower: "address", upper: "address" } as const;

const SEC_BUFFER = { cbBuffer: "u32", BufferType: "u32", pvBuffer: "address" } as const;

const SEC_BUFFER_DESC = { ulVersion: "u32", cBuffers: "u32", pBuffers: "address" } as const;

/** `SCHANNEL_CRED`: TLS 1.2 at most. */
const SCHANNEL_CRED = {
  dwVersion: "u32",
  cCreds: "u32",
  paCred: "address",
  hRootStore: "address",
  cMappers: "u32",
  aphMappers: "address",
  cSupportedAlgs: "u32",
  palgSupportedAlgs: "address",
  grbitEnabledProtocols: "u32",
  dwMinimumCipherStrength: "u32",
  dwMaximumCipherStrength: "u32",
  dwSessionLifespan: "u32",
  dwFlags: "u32",
  dwCredFormat: "u32",
} as const;

/** `SCH_CREDENTIALS`: Windows 10 1809, Windows Server 2019 and later. */
const SCH_CREDENTIALS = {
  dwVersion: "u32",
  dwCredFormat: "u32",
  cCreds: "u32",
  paCred: "address",
  hRootStore: "address",
  cMappers: "u32",
  aphMappers: "address",
  dwSessionLifespan: "u32",
  dwFlags: "u32",
  cTlsParameters: "u32",
  pTlsParameters: "address",
} as const;

const TLS_PARAMETERS = {
  cAlpnIds: "u32",
  rgstrAlpnIds: "address",
  grbitDisabledProtocols: "u32",
  cDisabledCrypto: "u32",
  pDisabledCrypto: "address",
  dwFlags: "u32",
} as const;

const STREAM_SIZES = {
  cbHeader: "u32",
  cbTrailer: "u32",
  cbMaximumMessage: "u32",
  cBuffers: "u32",
  cbBlockSize: "u32",
} as const;

/** `CERT_CONTEXT`. */
const CERT_CONTEXT = {
  dwCertEncodingType: "u32",
  pbCertEncoded: "address",
  cbCertEncoded: "u32",
  pCertInfo: "address",
  hCertStore: "address",
} as const;

const CRYPT_KEY_PROV_INFO = {
  pwszContainerName: "address",
  pwszProvName: "address",
  dwProvType: "u32",
  dwFlags: "u32",
  cProvParam: "u32",
  rgProvParam: "address",
  dwKeySpec: "u32",
} as const;

/** `CERT_CHAIN_CONTEXT` up to what is wrong with it: `TrustStatus.dwErrorStatus`. */
const CERT_CHAIN_CONTEXT = {
  cbSize: "u32",
  dwErrorStatus: "u32",
} as const;

/**
 * `CERT_CHAIN_PARA` up to `RequestedUsage`, written out. Each struct in it begins where a pointer
 * may, so that its first `DWORD` takes as much room as one.
 */
const CERT_CHAIN_PARA = {
  cbSize: "u32",
  dwType: "usize",
  cUsageIdentifier: "usize",
  rgpszUsageIdentifier: "address",
} as const;

/** `CERT_CHAIN_ENGINE_CONFIG` up to what Windows 7 added: the exclusive roots. */
const CERT_CHAIN_ENGINE_CONFIG = {
  cbSize: "u32",
  hRestrictedRoot: "address",
  hRestrictedTrust: "address",
  hRestrictedOther: "address",
  cAdditionalStore: "u32",
  rghAdditionalStore: "address",
  dwFlags: "u32",
  dwUrlRetrievalTimeout: "u32",
  MaximumCachedCertificates: "u32",
  CycleDetectionModulus: "u32",
  hExclusiveRoot: "address",
  hExclusiveTrustedPeople: "address",
} as const;

const CERT_CHAIN_POLICY_PARA = {
  cbSize: "u32",
  dwFlags: "u32",
  pvExtraPolicyPara: "address",
} as const;

/** `SSL_EXTRA_CERT_CHAIN_POLICY_PARA`. */
const SSL_POLICY_PARA = {
  cbSize: "u32",
  dwAuthType: "u32",
  fdwChecks: "u32",
  pwszServerName: "address",
} as const;

const CERT_CHAIN_POLICY_STATUS = {
  cbSize: "u32",
  dwError: "u32",
  lChainIndex: "i32",
  lElementIndex: "i32",
  pvExtraPolicyStatus: "address",
} as const;

const POINTER = { value: "address" } as const;

/** Where the fields of each struct are. */
export interface Structs {
  readonly secHandle: Layout<typeof SEC_HANDLE>;
  readonly secBuffer: Layout<typeof SEC_BUFFER>;
  readonly secBufferDesc: Layout<typeof SEC_BUFFER_DESC>;
  readonly schannelCred: Layout<typeof SCHANNEL_CRED>;
  readonly schCredentials: Layout<typeof SCH_CREDENTIALS>;
  readonly tlsParameters: Layout<typeof TLS_PARAMETERS>;
  readonly streamSizes: Layout<typeof STREAM_SIZES>;
  readonly certContext: Layout<typeof CERT_CONTEXT>;
  readonly keyProvInfo: Layout<typeof CRYPT_KEY_PROV_INFO>;
  readonly chainContext: Layout<typeof CERT_CHAIN_CONTEXT>;
  readonly chainPara: Layout<typeof CERT_CHAIN_PARA>;
  readonly chainEngineConfig: Layout<typeof CERT_CHAIN_ENGINE_CONFIG>;
  readonly policyPara: Layout<typeof CERT_CHAIN_POLICY_PARA>;
  readonly sslPolicyPara: Layout<typeof SSL_POLICY_PARA>;
  readonly policyStatus: Layout<typeof CERT_CHAIN_POLICY_STATUS>;
  readonly pointer: Layout<typeof POINTER>;
}

/** The structs as this platform lays them out. */
export function structs(platform: Platform): Structs {
  return {
    secHandle: layout(SEC_HANDLE, platform),
    secBuffer: layout(SEC_BUFFER, platform),
    secBufferDesc: layout(SEC_BUFFER_DESC, platform),
    schannelCred: layout(SCHANNEL_CRED, platform),
    schCredentials: layout(SCH_CREDENTIALS, platform),
    tlsParameters: layout(TLS_PARAMETERS, platform),
    streamSizes: layout(STREAM_SIZES, platform),
    certContext: layout(CERT_CONTEXT, platform),
    keyProvInfo: layout(CRYPT_KEY_PROV_INFO, platform),
    chainContext: layout(CERT_CHAIN_CONTEXT, platform),
    chainPara: layout(CERT_CHAIN_PARA, platform),
    chainEngineConfig: layout(CERT_CHAIN_ENGINE_CONFIG, platform),
    policyPara: layout(CERT_CHAIN_POLICY_PARA, platform),
    sslPolicyPara: layout(SSL_POLICY_PARA, platform),
    policyStatus: layout(CERT_CHAIN_POLICY_STATUS, platform),
    pointer: layout(POINTER, platform),
  };
}
