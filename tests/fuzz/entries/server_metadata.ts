/**
 * Documents about servers: an authorization server's metadata, the compute metadata's region.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isRegionName, offeredVersion, regionOfMetadata } from "../../../src/entra/region.ts";
import { givenServerMetadata, readServerMetadata } from "../../../src/rfc8705/metadata.ts";
import { ANSWER_TOKENS } from "../support/answers.ts";
import { readOrRefuse, textOf } from "../support/entry.ts";

/** Issuer of the documents in the corpus. */
const ISSUER = "https://login.example.test/tenant";

/** An endpoint that is taken is an https URL; a region is a label of a host. */
export function fuzz(data: Uint8Array): void {
  const text = textOf(data);
  const codes = ["invalid_server_metadata", "issuer_mismatch", "invalid_argument"] as const;
  for (
    const read of [
      () => readServerMetadata(text, ISSUER),
      () => givenServerMetadata(jsonOf(text)),
    ]
  ) {
    const found = readOrRefuse(codes, read);
    if (found === undefined) continue;
    for (const url of [found.issuer, found.token, found.introspection ?? found.token]) {
      const { protocol, username, password, hash } = new URL(url);
      assert.deepEqual([protocol, username, password, hash], ["https:", "", "", ""], url);
    }
  }
  const region = regionOfMetadata(200, text);
  assert.ok(region === undefined || isRegionName(region));
  assert.match(offeredVersion(400, text) ?? "2021-02-01", /^\d{4}-\d{2}-\d{2}$/);
}

/** Fields of the documents. */
export const tokens: readonly string[] = [
  ...ANSWER_TOKENS,
  `"issuer":"${ISSUER}",`,
  '"token_endpoint":"https://',
  '"introspection_endpoint":"https://',
  '"mtls_endpoint_aliases":{',
  '"location":"westus2"',
  '"newest-versions":["2021-02-01"]',
  "user@",
  "https:\\\\",
  "#",
];

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
