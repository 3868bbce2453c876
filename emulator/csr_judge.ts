/**
 * Judges a certification request as the metadata service must (protocol.md section 1.5): by
 * node:crypto and \@peculiar/x509, never by the code under test.
 *
 * @module
 */

import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Peers } from "./peers.ts";
import { readAll, readInside } from "./tlv.ts";
import type { ComputeUnitId } from "./types.ts";

/** What a request must say. */
export interface CsrExpectation {
  readonly clientId: string;
  readonly tenantId: string;
  readonly cuId: ComputeUnitId;
  /** Whether a P-256 key is welcome. */
  readonly acceptEc: boolean;
}

/** A request that was found good. */
export interface GoodCsr {
  readonly spki: Uint8Array<ArrayBuffer>;
  readonly publicKey: KeyObject;
  /** base64url SHA-256 of `spki`. */
  readonly keyThumbprint: string;
}

/** Good, or what is wrong. */
export type CsrVerdict = { readonly good: GoodCsr } | { readonly refusal: string };

const CUID_OID = "1.3.6.1.4.1.311.90.2.10";
const UTF8_STRING = 0x0c;
const SEQUENCE = 0x30;
const ATTRIBUTES = 0xa0;

const RSA_KEY = "300d06092a864886f70d0101010500";
const EC_P256_KEY = "301306072a8648ce3d020106082a8648ce3d030107";
const ECDSA_SHA256 = "300a06082a8648ce3d040302";
/** RSASSA-PSS, SHA-256, MGF1 with SHA-256, salt 32; each hash with or without NULL parameters. */
const PSS_SHA256: readonly string[] = [
  "303d06092a864886f70d01010a3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120",
  "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
  "303f06092a864886f70d01010a3032a00d300b0609608648016503040201a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
  "303f06092a864886f70d01010a3032a00f300d06096086480165030402010500a11a301806092a864886f70d010108300b0609608648016503040201a203020120",
];

/** Whether the base64 text `csr` is a request for exactly this identity on this machine. */
export function judgeCsr(x509: Peers["x509"], csr: string, expected: CsrExpectation): CsrVerdict {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(csr) || csr === "") {
    return refuse("not one line of padded base64");
  }
  const der = new Uint8Array(Buffer.from(csr, "base64"));
  const [info, algorithm, signature, ...extra] = readInside(SEQUENCE, der) ?? [];
  if (info?.tag !== SEQUENCE || algorithm?.tag !== SEQUENCE || signature?.tag !== 0x03) {
    return refuse("not a DER CertificationRequest");
  }
  const [version, subject, spki, attributes, ...more] = readAll(info.content) ?? [];
  if (extra.length > 0 || more.length > 0) return refuse("unexpected elements");
  if (version?.tag !== 0x02 || hex(version.content) !== "00") return refuse("version is not 0");
  if (subject?.tag !== SEQUENCE || spki?.tag !== SEQUENCE) return refuse("no subject or no key");
  if (attributes?.tag !== ATTRIBUTES) return refuse("no attributes");

  const key = readKey(spki.raw, expected.acceptEc);
  if (typeof key === "string") return refuse(key);
  const rsa = key.asymmetricKeyType === "rsa";
  const named = hex(algorithm.raw);
  if (rsa ? !PSS_SHA256.includes(named) : named !== ECDSA_SHA256) {
    return refuse(
      rsa
        ? "the signature algorithm is not RSASSA-PSS with SHA-256, MGF1 with SHA-256 and salt 32"
        : "the signature algorithm is not ECDSA with SHA-256",
    );
  }
  const options = rsa
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    : { key, dsaEncoding: "der" as const };
  const bits = signature.content;
  if (bits[0] !== 0 || !verify("sha256", info.raw, options, bits.subarray(1))) {
    return refuse("the signature does not verify");
  }
  const refusal = judgeNames(x509, der, expected);
  if (refusal !== undefined) return refuse(refusal);
  return {
    good: {
      spki: new Uint8Array(spki.raw),
      publicKey: key,
      keyThumbprint: keyThumbprint(spki.raw),
    },
  };
}

/** base64url SHA-256 of a DER SubjectPublicKeyInfo. */
export function keyThumbprint(spki: Uint8Array): string {
  return createHash("sha256").update(spki).digest("base64url");
}

function readKey(spki: Uint8Array<ArrayBuffer>, acceptEc: boolean): KeyObject | string {
  const [algorithm] = readInside(SEQUENCE, spki) ?? [];
  const named = algorithm === undefined ? "" : hex(algorithm.raw);
  const ec = named === EC_P256_KEY;
  if (named !== RSA_KEY && !(ec && acceptEc)) return "the key is not of an accepted kind";
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return ec || bits >= 2048 ? key : "the RSA key is shorter than 2048 bits";
  } catch {
    return "the key is malformed";
  }
}

function judgeNames(
  x509: Peers["x509"],
  der: Uint8Array<ArrayBuffer>,
  expected: CsrExpectation,
): string | undefined {
  let subject: string[];
  let attributes: { type: string; values: ArrayBuffer[] }[];
  try {
    const csr = new x509.Pkcs10CertificateRequest(der);
    // One text for each RDN, so that a multi-valued one equals nothing that is wanted.
    subject = csr.subjectName.toJSON().map((rdn) =>
      Object.entries(rdn).map(([type, values]) => `${type}=${values.join("+")}`).join("+")
    );
    attributes = csr.attributes;
  } catch {
    return "the names or attributes are malformed";
  }
  const wanted = [`CN=${expected.clientId}`, `DC=${expected.tenantId}`];
  if (subject.length !== 2 || !wanted.every((part) => subject.includes(part))) {
    return "the subject is not CN=<client id>, DC=<tenant id>";
  }
  const [attribute, ...others] = attributes;
  if (attribute === undefined || others.length > 0 || attribute.type !== CUID_OID) {
    return `not exactly one attribute ${CUID_OID}`;
  }
  const [value, ...rest] = readAll(new Uint8Array(attribute.values[0] ?? new ArrayBuffer(0))) ?? [];
  if (attribute.values.length !== 1 || rest.length > 0 || value?.tag !== UTF8_STRING) {
    return `attribute ${CUID_OID} is not one UTF8String`;
  }
  const { vmId, vmssId } = expected.cuId;
  const content = Buffer.from(value.content).toString("utf8");
  return content === JSON.stringify({ vmId, vmssId })
    ? undefined
    : `attribute ${CUID_OID} is not the cuId of this machine`;
}

function refuse(reason: string): CsrVerdict {
  return { refusal: `The CSR was refused: ${reason}.` };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
