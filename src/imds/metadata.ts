/**
 * `getplatformmetadata`: who the host and the identity are (protocol.md section 1.3).
 *
 * @module
 */

import * as v from "valibot";
import { KeyboundError } from "../errors.ts";
import type { Identity } from "../identity.ts";
import { fields, Identifier, parse, parseJson, parseUrl } from "../parse.ts";
import { imdsProbePolicy } from "../policy/retry.ts";
import { describeErrorBody } from "../scrub.ts";
import { credentialUrl } from "./endpoint.ts";
import {
  type AcquisitionContext,
  askMetadataService,
  type MetadataService,
  metadataServiceError,
} from "./request.ts";

/** What the platform says of itself. */
export interface PlatformMetadata {
  /** What ties a certificate request to its virtual machine; at least one of the two. */
  readonly cuId: { readonly vmId?: string | undefined; readonly vmssId?: string | undefined };
  /** Canonical client id (UUID) of the identity. */
  readonly clientId: string;
  /** Tenant id (UUID). */
  readonly tenantId: string;
  /** Where KeyGuard keys are attested: an absolute URL. */
  readonly attestationEndpoint: string;
}

const PlatformMetadataMessage = fields({
  cuId: fields({}),
  clientId: Identifier,
  tenantId: Identifier,
  attestationEndpoint: v.custom<string>((value) =>
    typeof value === "string" && parseUrl(value) !== undefined
  ),
});

/**
 * Asks for the platform's metadata.
 *
 * Rejects with `mtls_pop_token_not_supported_in_imds_v1` on a 404, `managed_identity_request_failed`
 * for every other refusal and for a malformed answer, and as `askMetadataService` does.
 */
export async function getPlatformMetadata(
  service: MetadataService,
  identity: Identity,
  context: AcquisitionContext,
): Promise<PlatformMetadata> {
  const endpoint = "getplatformmetadata";
  const { correlationId } = context;
  const url = credentialUrl(service.base, endpoint, identity);
  const answer = await askMetadataService(service, endpoint, url, {}, imdsProbePolicy, context);
  const refuse = (reason: string) => metadataServiceError(endpoint, answer, reason, correlationId);
  if (answer.status === 404) {
    throw new KeyboundError(
      "mtls_pop_token_not_supported_in_imds_v1",
      "This host's metadata service is version 1, which issues no certificates. Use a host with IMDSv2.",
      { status: 404, correlationId, source: "Imds" },
    );
  }
  if (answer.status !== 200) throw refuse(describeErrorBody(answer.text));
  const server = answer.headers.get("server");
  if (server === null || !server.toUpperCase().includes("IMDS")) {
    throw refuse(
      "the Server header doesn't name IMDS. Check for a proxy before the metadata service.",
    );
  }
  const message = parseJson(PlatformMetadataMessage, answer.text);
  const cuId = message && { vmId: id(message.cuId.vmId), vmssId: id(message.cuId.vmssId) };
  if ((cuId?.vmId ?? cuId?.vmssId) === undefined) {
    throw refuse("the body lacks cuId, clientId, tenantId or attestationEndpoint.");
  }
  return {
    ...message!,
    cuId: cuId!,
    attestationEndpoint: new URL(message!.attestationEndpoint).href,
  };
}

/** An id that may be absent or blank, which is the same. */
function id(value: unknown): string | undefined {
  return parse(Identifier, value);
}
