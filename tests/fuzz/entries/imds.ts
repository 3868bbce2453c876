/**
 * Answers of the metadata service: `getplatformmetadata` and `issuecredential`.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as v from "valibot";
import { issueCredential } from "../../../src/imds/credential.ts";
import { getPlatformMetadata } from "../../../src/imds/metadata.ts";
import type { AcquisitionContext, MetadataService } from "../../../src/imds/request.ts";
import { Identifier } from "../../../src/parse.ts";
import { ANSWER_TOKENS, answerOf, INSTANT, NO_TIMEOUT } from "../support/answers.ts";
import { readOrReject } from "../support/entry.ts";

const CONTEXT: AcquisitionContext = { correlationId: "c", emit: () => {} };

/** What is taken of an answer can be built upon: ids and https URLs, nothing else. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const { status, text, header } = answerOf(data);
  const isEmpty = status === 204 || status === 205 || status === 304;
  const service: MetadataService = {
    base: "http://169.254.169.254",
    fetch: () =>
      Promise.resolve(
        new Response(isEmpty ? null : text, { status, headers: { server: `IMDS${header}` } }),
      ),
    clock: INSTANT,
    random: () => 0,
    metadataTimeout: NO_TIMEOUT,
  };
  const identity = { name: "system" };
  const codes = [
    "managed_identity_request_failed",
    "mtls_pop_token_not_supported_in_imds_v1",
    "redirect_refused",
    "response_too_large",
  ] as const;
  const platform = await readOrReject(
    codes,
    () => getPlatformMetadata(service, identity, CONTEXT),
  );
  if (platform !== undefined) {
    const { clientId, tenantId, cuId, attestationEndpoint } = platform;
    const given = [cuId.vmId, cuId.vmssId].filter((id) => id !== undefined);
    assert.ok(given.length > 0, "no compute unit");
    for (const id of [clientId, tenantId, ...given]) assert.ok(v.is(Identifier, id), id);
    assert.equal(new URL(attestationEndpoint).href, attestationEndpoint);
  }
  const request = { csr: new Uint8Array(1), attestationToken: undefined };
  const issued = await readOrReject(
    codes,
    () => issueCredential(service, identity, request, CONTEXT),
  );
  if (issued !== undefined) {
    assert.ok(v.is(Identifier, issued.clientId), issued.clientId);
    const { protocol, username, search, hash, href } = new URL(issued.endpoint);
    assert.deepEqual([protocol, username, search, hash], ["https:", "", "", ""], href);
  }
}

/** Fields of both answers. */
export const tokens: readonly string[] = [
  ...ANSWER_TOKENS,
  '"cuId":{"vmId":"a"},',
  '"clientId":"',
  '"client_id":"',
  '"tenant_id":"',
  '"certificate":"',
  '"identity_type":"',
  '"mtls_authentication_endpoint":"https://',
];

/** Two exchanges, with `Response`. */
export const cost = 4;
