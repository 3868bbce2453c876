/**
 * How often a request is sent and when: the tables of protocol.md section 4.3, seen from the wire.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ManagedIdentityOptions } from "../../src/managed_identity_options.ts";
import { fakeAzure, type FakeEndpoint, type Script, status, VAULT } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

/** An endpoint whose answers are these, the last one for ever; `"regular"` is the good one. */
interface Row {
  readonly endpoint: FakeEndpoint;
  readonly answers: readonly (number | "regular")[];
  /** Seconds from the first request to each. */
  readonly at: readonly number[];
  /** The error in the end; none where it works out. */
  readonly code?: string;
}

const FAILED = "managed_identity_request_failed";
const EVERY_TEN_SECONDS = [0, 10, 20, 30, 40, 50, 60, 70];

const ROWS: readonly Row[] = [
  { endpoint: "issuecredential", answers: [410], at: EVERY_TEN_SECONDS, code: FAILED },
  { endpoint: "issuecredential", answers: [404, 404, "regular"], at: [0, 1, 3] },
  { endpoint: "issuecredential", answers: [504], at: [0, 1, 3, 7], code: FAILED },
  { endpoint: "issuecredential", answers: [400], at: [0], code: FAILED },
  {
    endpoint: "getplatformmetadata",
    answers: [404],
    at: [0],
    code: "mtls_pop_token_not_supported_in_imds_v1",
  },
  { endpoint: "getplatformmetadata", answers: [410], at: EVERY_TEN_SECONDS, code: FAILED },
  { endpoint: "getplatformmetadata", answers: [500], at: [0, 1, 3, 7], code: FAILED },
  { endpoint: "token", answers: [503], at: [0, 1], code: "service_not_available" },
];

/** The moments, in ms from the first one, at which the endpoint was asked, and how it ended. */
async function observed({ endpoint, answers }: Row, options: Partial<ManagedIdentityOptions>) {
  const azure = await fakeAzure();
  const moments: number[] = [];
  const script: Script = async (sent, regular) => {
    const answer = answers[Math.min(moments.length, answers.length - 1)]!;
    moments.push(azure.clock.now());
    return answer === "regular" ? await regular() : await status(answer, {})(sent, regular);
  };
  azure.always(endpoint, script);
  const asked = azure.identity(options).getToken({ resource: VAULT });
  const [outcome] = await Promise.allSettled([settling(azure, asked)]);
  return { moments: moments.map((moment) => moment - moments[0]!), outcome };
}

describe("without jitter", () => {
  for (const row of ROWS) {
    const { endpoint, answers, at, code } = row;
    it(`${endpoint} answering ${answers.join(", ")} is asked at ${at.join(", ")} s`, async () => {
      const { moments, outcome } = await observed(row, { random: () => 0 });
      assert.deepEqual(moments, at.map((seconds) => seconds * 1000));
      const ended = outcome.status === "rejected" ? outcome.reason.code : undefined;
      assert.equal(ended, code);
    });
  }
});

describe("with jitter", () => {
  for (const endpoint of ["getplatformmetadata", "issuecredential", "token"] as const) {
    it(`${endpoint} is asked again up to a tenth later, never earlier`, async () => {
      const row: Row = { endpoint, answers: [503, "regular"], at: [] };
      const { moments, outcome } = await observed(row, { random: () => 0.999 });
      assert.equal(outcome.status, "fulfilled");
      assert.deepEqual(moments.map(Math.floor), [0, 1099]);
    });
  }
});
