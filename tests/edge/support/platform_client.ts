/**
 * A confidential client whose certificate a platform holds, and what a program needs to be it at the
 * emulator.
 *
 * @module
 */

import { nodeTlsTransport } from "../../../backends/node_tls/mod.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { DEFAULT_TENANT_ID, type Emulator } from "../../../emulator/mod.ts";
import { type ClientCredential, isPemExportable } from "../../../mod.ts";
import type { JsonWebKeySet } from "../../../resource/mod.ts";
import { base64, fromBase64 } from "../../../src/encoding.ts";
import { certificateCredential } from "../../../src/entra/mod.ts";
import { encodePem } from "../../../src/x509/pem.ts";

/** The application; the emulator must know it. */
export const CLIENT_ID = "f62c5ae3-bf3a-4af5-afa8-000000000000";

export const AUTHORITY: string = `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`;

/** What the platform has. */
export interface PlatformClient {
  readonly credential: ClientCredential;
  /** PEM of the certificate. */
  readonly cert: string;
  /** PEM of its key. */
  readonly key: string;
  /** Issuer of tokens. */
  readonly issuer: string;
  /** Its keys. */
  readonly jwks: JsonWebKeySet;
}

/** A new certificate of that application. */
export async function platformClient(emulator: Emulator): Promise<PlatformClient> {
  const key = await webcryptoKeys().create("edge", { algorithm: "P-256" });
  if (!isPemExportable(key)) throw new TypeError("A software key can be exported.");
  const { certificate } = await emulator.issue({ spki: base64(key.spki), clientId: CLIENT_ID });
  const credential = await certificateCredential([fromBase64(certificate)], key);
  const transport = nodeTlsTransport({ ca: emulator.ca });
  const request = new Request(`${emulator.mtls}/${DEFAULT_TENANT_ID}/discovery/v2.0/keys`);
  const jwks: JsonWebKeySet = await (await transport.fetch(request, credential)).json();
  await transport.close();
  return {
    credential,
    cert: credential.chain.map((der) => encodePem("CERTIFICATE", der)).join(""),
    key: await key.exportPem(),
    issuer: `${emulator.mtls}/${DEFAULT_TENANT_ID}/v2.0`,
    jwks,
  };
}
