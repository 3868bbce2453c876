/**
 * The certification request (PKCS#10, RFC 2986) that the metadata service turns into a binding
 * certificate (protocol.md section 1.5).
 *
 * @module
 */

import { type Bytes, fromBase64 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { SignatureScheme, SigningKey } from "../keys.ts";
import { bitString, context, directoryString, sequence, setOf, utf8String } from "./der_writer.ts";

/** The compute unit that asks, as the metadata service named it; at least one of the two. */
export interface ComputeUnitId {
  /** Id of the virtual machine. */
  readonly vmId?: string;
  /** Id of the scale set it belongs to. */
  readonly vmssId?: string;
}

/** What {@linkcode createCertificateRequest} puts into a request. */
export interface CertificateRequestOptions {
  /** Canonical client id (UUID) of the identity: the subject's CN. */
  clientId: string;
  /** Tenant id (UUID): the subject's DC. */
  tenantId: string;
  /** The compute unit: the one attribute, as compact JSON. */
  cuId: ComputeUnitId;
  /** The key to certify; it signs the request. */
  key: SigningKey;
  /** Ends the wait for the signature; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * The DER of a certification request: subject `DC=<tenantId>` then `CN=<clientId>`, the key's public
 * half, the compute unit id.
 *
 * Rejects with `invalid_argument` for ids that are blank, of 256 characters or more, or not plain
 * text, `unsupported_scheme` for a key that signs neither `rsa_pss_rsae_sha256` nor
 * `ecdsa_secp256r1_sha256`, and as {@linkcode SigningKey.sign}.
 *
 * @example
 * ```ts
 * const der = await createCertificateRequest({ clientId, tenantId, cuId, key });
 * const body = JSON.stringify({ csr: base64(der) });
 * ```
 */
export async function createCertificateRequest(
  { clientId, tenantId, cuId, key, signal }: CertificateRequestOptions,
): Promise<Bytes> {
  const { vmId, vmssId } = cuId;
  for (const id of [clientId, tenantId, vmId || vmssId || "", vmssId || vmId || ""]) assertId(id);
  const scheme = signatureScheme(key);
  const info = sequence(
    VERSION_0,
    sequence(rdn(DOMAIN_COMPONENT, tenantId), rdn(COMMON_NAME, clientId)),
    key.spki,
    context(0, sequence(CU_ID, setOf(utf8String(JSON.stringify({ vmId, vmssId }))))),
  );
  const signature = await key.sign(scheme, info, { signal });
  return sequence(info, ALGORITHMS[scheme], bitString(signature));
}

// What never changes, in DER; the tests take each apart.
const VERSION_0 = fromBase64("AgEA");
/** commonName 2.5.4.3 */
const COMMON_NAME = fromBase64("BgNVBAM=");
/** domainComponent 0.9.2342.19200300.100.1.25 */
const DOMAIN_COMPONENT = fromBase64("BgoJkiaJk/IsZAEZ");
/** Attribute type of the compute unit id, 1.3.6.1.4.1.311.90.2.10 */
const CU_ID = fromBase64("BgorBgEEAYI3WgIK");

/** The schemes a request can be signed in, and their AlgorithmIdentifier. */
const ALGORITHMS = {
  /**
   * id-RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes (RFC 4055 section 3.1): no
   * NULL in the hash algorithms, the trailer field left to its default.
   */
  rsa_pss_rsae_sha256: fromBase64(
    "MD0GCSqGSIb3DQEBCjAwoA0wCwYJYIZIAWUDBAIBoRowGAYJKoZIhvcNAQEIMAsGCWCGSAFlAwQCAaIDAgEg",
  ),
  /** ecdsa-with-SHA256 */
  ecdsa_secp256r1_sha256: fromBase64("MAoGCCqGSM49BAMC"),
} satisfies Partial<Record<SignatureScheme, Bytes>>;

const SCHEMES = Object.keys(ALGORITHMS) as (keyof typeof ALGORITHMS)[];

function signatureScheme(key: SigningKey): keyof typeof ALGORITHMS {
  const scheme = SCHEMES.find((name) => key.schemes.includes(name));
  if (scheme !== undefined) return scheme;
  throw new KeyboundError(
    "unsupported_scheme",
    `Key '${key.id}' signs neither ${SCHEMES.join(" nor ")}.`,
  );
}

function rdn(type: Bytes, value: string): Bytes {
  return setOf(sequence(type, directoryString(value)));
}

function assertId(id: string): void {
  if (/^(?!\s*$)[^\p{Cc}\p{Cs}]{1,255}$/u.test(id)) return;
  throw new KeyboundError(
    "invalid_argument",
    "An id for the certification request is blank, too long or not plain text.",
  );
}
