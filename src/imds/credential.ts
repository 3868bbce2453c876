/**
 * `issuecredential`: a certificate for a signed request (protocol.md section 1.6).
 *
 * @module
 */

import { base64, type Bytes, fromBase64 } from "../encoding.ts";
import type { Identity } from "../identity.ts";
import { fields, HttpsBase, Identifier, parseJson, text } from "../parse.ts";
import { imdsPolicy } from "../policy/retry.ts";
import { describeErrorBody } from "../scrub.ts";
import { credentialUrl } from "./endpoint.ts";
import {
  type AcquisitionContext,
  askMetadataService,
  type MetadataService,
  metadataServiceError,
} from "./request.ts";

const CredentialMessage = fields({
  client_id: Identifier,
  tenant_id: Identifier,
  certificate: text(/^[^]{1,65536}$/),
  identity_type: text(/./),
  mtls_authentication_endpoint: HttpsBase,
});

/** A certificate as issued, not yet checked against its key. */
export interface IssuedCredential {
  /** DER of the certificate, as far as anyone knows yet. */
  readonly certificate: Bytes;
  /** Canonical client id of the identity. */
  readonly clientId: string;
  /** Base URL of the token endpoint: `{mtls_authentication_endpoint}/{tenant_id}`. */
  readonly endpoint: string;
}

/** What is asked for. */
export interface CredentialRequest {
  /** DER of the PKCS#10 request. */
  readonly csr: Bytes;
  /** The attestation JWT; `""` states that there is none; `undefined` leaves the field out. */
  readonly attestationToken: string | undefined;
}

/**
 * Asks for a certificate.
 *
 * Rejects with `managed_identity_request_failed` for every refusal and for a malformed answer, and
 * as `askMetadataService` does.
 */
export async function issueCredential(
  service: MetadataService,
  identity: Identity,
  request: CredentialRequest,
  context: AcquisitionContext,
): Promise<IssuedCredential> {
  const endpoint = "issuecredential";
  const answer = await askMetadataService(
    service,
    endpoint,
    credentialUrl(service.base, endpoint, identity),
    {
      method: "POST",
      headers: { "Content-Type": "application/json; charset=utf-8" },
      body: JSON.stringify({
        csr: base64(request.csr),
        attestation_token: request.attestationToken,
      }),
    },
    imdsPolicy,
    context,
  );
  const refuse = (reason: string) =>
    metadataServiceError(endpoint, answer, reason, context.correlationId);
  if (answer.status !== 200) throw refuse(describeErrorBody(answer.text));
  const message = parseJson(CredentialMessage, answer.text);
  if (message === undefined) {
    throw refuse(
      "the body lacks client_id, tenant_id, certificate, identity_type or an https mtls_authentication_endpoint.",
    );
  }
  return {
    certificate: decodeCertificate(message.certificate),
    clientId: message.client_id,
    endpoint: `${message.mtls_authentication_endpoint.replace(/\/+$/, "")}/${message.tenant_id}`,
  };
}

/** The bytes of the certificate field; none at all for a field that isn't base64. */
function decodeCertificate(text: string): Bytes {
  try {
    return fromBase64(text);
  } catch {
    return new Uint8Array();
  }
}
