/**
 * The certification request (PKCS#10, RFC 2986) that the metadata service turns into a binding
 * certificate (protocol.md section 1.5).
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { SignatureScheme, SigningKey } from "../keys.ts";
import {
  bitString,
  context,
  directoryString,
  integer,
  oid,
  sequence,
  setOf,
  utf8String,
} from "./der_writer.ts";
import { COMMON_NAME, DOMAIN_COMPONENT, hasUnprintable } from "./name.ts";
import { publicKeyAlgorithm } from "./public_key.ts";

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
  /**
   * How it signs: `rsa_pss_rsae_sha256` or `ecdsa_secp256r1_sha256`.
   * @default the one of the two that fits the key
   */
  scheme?: SignatureScheme;
  /** Ends the wait for the signature; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * The DER of a certification request: subject `DC=<tenantId>` then `CN=<clientId>`, the key's public
 * half, the compute unit id.
 *
 * Rejects with `invalid_argument` for ids that are blank, of 256 characters or more, or not plain
 * text, `unsupported_key` for a key that is neither RSA nor on P-256, `unsupported_scheme` for a
 * scheme that isn't one of the two or that the key doesn't offer, and as
 * {@linkcode SigningKey.sign}.
 *
 * @example
 * ```ts
 * const der = await createCertificateRequest({ clientId, tenantId, cuId, key });
 * const body = JSON.stringify({ csr: base64(der) });
 * ```
 */
export async function createCertificateRequest(
  { clientId, tenantId, cuId, key, scheme, signal }: CertificateRequestOptions,
): Promise<Bytes> {
  assertId("client id", clientId);
  assertId("tenant id", tenantId);
  const chosen = signatureScheme(key, scheme);
  const info = sequence(
    integer(Uint8Array.of(0)),
    sequence(rdn(DOMAIN_COMPONENT, tenantId), rdn(COMMON_NAME, clientId)),
    key.spki,
    context(0, sequence(oid(CU_ID), setOf(utf8String(cuIdJson(cuId))))),
  );
  const signature = await key.sign(chosen, info, { signal });
  return sequence(info, ALGORITHMS[chosen](), bitString(signature));
}

/** Attribute type of the compute unit id. */
const CU_ID = "1.3.6.1.4.1.311.90.2.10";

const MAX_ID_LENGTH = 255;

/** The schemes a request can be signed in, and their AlgorithmIdentifier. */
const ALGORITHMS = {
  rsa_pss_rsae_sha256: rsassaPssSha256,
  ecdsa_secp256r1_sha256: () => sequence(oid("1.2.840.10045.4.3.2")),
} satisfies Partial<Record<SignatureScheme, () => Bytes>>;

function signatureScheme(key: SigningKey, asked?: SignatureScheme): keyof typeof ALGORITHMS {
  const algorithm = publicKeyAlgorithm(key.spki);
  if (algorithm.type === "ec" && algorithm.curve !== "P-256") {
    throw new KeyboundError(
      "unsupported_key",
      `Binding certificates are issued for RSA and P-256 keys, not ${algorithm.curve}.`,
    );
  }
  const scheme = algorithm.type === "rsa" ? "rsa_pss_rsae_sha256" : "ecdsa_secp256r1_sha256";
  if ((asked ?? scheme) !== scheme || !key.schemes.includes(scheme)) {
    throw new KeyboundError(
      "unsupported_scheme",
      `A certification request for key '${key.id}' has to be signed with '${scheme}'.`,
    );
  }
  return scheme;
}

/** RFC 4055 section 3.1: no NULL in the hash algorithms, the trailer field left to its default. */
function rsassaPssSha256(): Bytes {
  const sha256 = sequence(oid("2.16.840.1.101.3.4.2.1"));
  const mgf1 = sequence(oid("1.2.840.113549.1.1.8"), sha256);
  const saltLength = integer(Uint8Array.of(32));
  return sequence(
    oid("1.2.840.113549.1.1.10"),
    sequence(context(0, sha256), context(1, mgf1), context(2, saltLength)),
  );
}

function rdn(type: string, value: string): Bytes {
  return setOf(sequence(oid(type), directoryString(value)));
}

/** Compact, `vmId` first, absent members left out; an empty one beside another goes as it came. */
function cuIdJson({ vmId, vmssId }: ComputeUnitId): string {
  if (vmId || !vmssId) assertId("vmId", vmId ?? "");
  if (vmssId) assertId("vmssId", vmssId);
  return JSON.stringify({ vmId, vmssId });
}

function assertId(name: string, value: string): void {
  if (value.trim() === "" || value.length > MAX_ID_LENGTH || hasUnprintable(value)) {
    throw new KeyboundError(
      "invalid_argument",
      `The ${name} is blank, too long or not plain text. Pass it as the metadata service gave it.`,
    );
  }
}
