/**
 * Certification requests written by hand, so that each part can be wrong on its own.
 *
 * @module
 */

import { constants, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import {
  DEFAULT_IDENTITIES,
  DEFAULT_TENANT_ID,
  type Emulator,
  type Json,
} from "../../../emulator/mod.ts";
import { type ClientPem, postCredential, V2 } from "./http.ts";

/** A key pair. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** RSASSA-PSS AlgorithmIdentifier with SHA-256 and salt 32, hex, as most encoders write it. */
export const PSS =
  "303d06092a864886f70d01010a3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120";
/** The same with NULL parameters for both hashes. */
export const PSS_WITH_NULLS =
  "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120";
/** The same with salt 20. */
export const PSS_SALT_20: string = PSS.replace(/20$/, "14");
/** sha256WithRSAEncryption. */
export const PKCS1 = "300d06092a864886f70d01010b0500";
/** ecdsa-with-SHA256. */
export const ECDSA = "300a06082a8648ce3d040302";

const CUID = "1.3.6.1.4.1.311.90.2.10";
/** DER of the OIDs that are used here. */
const OIDS: Readonly<Record<string, string>> = {
  CN: "0603550403",
  DC: "060a0992268993f22c640119",
  O: "060355040a",
  [CUID]: "060a2b0601040182375a020a",
  challengePassword: "06092a864886f70d010907",
};

/** Identity of the machine as the default emulator has it. */
export const CUID_JSON = '{"vmId":"test-vm-id","vmssId":"test-vmss-id"}';
/** Client id of the system-assigned identity. */
export const SYSTEM: string = DEFAULT_IDENTITIES[0]!.clientId;
/** Client id of the user-assigned identity. */
export const USER: string = DEFAULT_IDENTITIES[1]!.clientId;
/** Tenant id of both. */
export const TENANT: string = DEFAULT_TENANT_ID;

/** DER of one element. */
export function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const octets = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...octets]), content]);
}

/** The token request of the system-assigned identity, good in every respect. */
export const TOKEN_FORM: Readonly<Record<string, string>> = {
  client_id: SYSTEM,
  scope: "https://vault.azure.net/.default",
  grant_type: "client_credentials",
  token_type: "mtls_pop",
};

/** What a request is made of; what isn't given is as it should be for the system identity. */
export interface CsrParts {
  readonly key: KeyPair;
  readonly version?: number;
  /** RDNs, each a list of type and value; values are PrintableString unless a tag is given. */
  readonly subject?: readonly (readonly (readonly [type: string, value: string, tag?: number])[])[];
  readonly attributes?: readonly (readonly [type: string, ...values: Uint8Array[]])[] | "none";
  /** AlgorithmIdentifier, hex. */
  readonly algorithm?: string;
  /** How to sign in place of PSS with salt 32, or ECDSA. */
  readonly padding?: { readonly padding: number; readonly saltLength?: number };
  readonly spki?: Uint8Array;
  /** Changes the finished DER. */
  readonly spoil?: (der: Buffer) => Buffer;
}

/** A request as one line of base64. */
export function csr(parts: CsrParts): string {
  const { key, version = 0, subject = [[["DC", TENANT]], [["CN", SYSTEM]]] } = parts;
  const ec = key.privateKey.asymmetricKeyType === "ec";
  const name = der(
    0x30,
    ...subject.map((rdn) =>
      der(
        0x31,
        ...rdn.map(([type, value, tag = 0x13]) =>
          der(0x30, Buffer.from(OIDS[type]!, "hex"), der(tag, Buffer.from(value)))
        ),
      )
    ),
  );
  const { attributes = [[CUID, cuIdValue()]] } = parts;
  const spki = parts.spki ?? key.publicKey.export({ format: "der", type: "spki" });
  const info = der(
    0x30,
    der(0x02, Buffer.from([version])),
    name,
    spki,
    ...(attributes === "none" ? [] : [der(
      0xa0,
      ...attributes.map(([type, ...values]) =>
        der(0x30, Buffer.from(OIDS[type]!, "hex"), der(0x31, ...values))
      ),
    )]),
  );
  const padding = parts.padding ?? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const signature = sign("sha256", info, { key: key.privateKey, ...(ec ? {} : padding) });
  const algorithm = Buffer.from(parts.algorithm ?? (ec ? ECDSA : PSS), "hex");
  const whole = der(0x30, info, algorithm, der(0x03, Buffer.from([0]), signature));
  return (parts.spoil?.(whole) ?? whole).toString("base64");
}

/** The value of the cuId attribute. */
export function cuIdValue(text: string = CUID_JSON, tag = 0x0c): Buffer {
  return der(tag, Buffer.from(text));
}

/** A new RSA key pair. */
export function rsaKey(modulusLength = 2048): KeyPair {
  return generateKeyPairSync("rsa", { modulusLength });
}

/** A new P-256 key pair. */
export function ecKey(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** A binding certificate for the key of the system identity, or of the one selected. */
export async function mint(
  emulator: Emulator,
  key: KeyPair,
  options: { clientId?: string; selector?: string; attestationToken?: string } = {},
): Promise<ClientPem & { thumbprint: string; certificate: X509Certificate }> {
  const { clientId = SYSTEM, selector = "", attestationToken } = options;
  const body: Record<string, Json> = {
    csr: csr({ key, subject: [[["DC", TENANT]], [["CN", clientId]]] }),
    ...(attestationToken === undefined ? {} : { attestation_token: attestationToken }),
  };
  const answer = await postCredential(emulator, body, { query: `${V2}${selector}` });
  if (answer.status !== 200) throw new Error(`No certificate: ${answer.body}`);
  return clientPem(`${answer.json["certificate"]}`, key);
}

/** The certificate (base64 DER) and key as a TLS client wants them. */
export function clientPem(
  base64Der: string,
  key: KeyPair,
): ClientPem & { thumbprint: string; certificate: X509Certificate } {
  const certificate = new X509Certificate(Buffer.from(base64Der, "base64"));
  return {
    cert: certificate.toString(),
    key: key.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    thumbprint: Buffer.from(certificate.fingerprint256.replaceAll(":", ""), "hex")
      .toString("base64url"),
    certificate,
  };
}

/** A certificate by `issue`, for a key of any kind. */
export async function issueFor(
  emulator: Emulator,
  key: KeyPair,
  clientId: string,
  tenantId: string = TENANT,
): Promise<ReturnType<typeof clientPem>> {
  const spki = key.publicKey.export({ format: "der", type: "spki" }).toString("base64");
  return clientPem((await emulator.issue({ spki, clientId, tenantId })).certificate, key);
}
