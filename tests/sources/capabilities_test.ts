/**
 * What a host says it can do (protocol.md section 7.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resolveIdentity } from "../../src/identity.ts";
import type { KeyStrength } from "../../src/keys.ts";
import { drive } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import {
  ENVIRONMENTS,
  fakeHost,
  IDENTITIES,
  query,
  type SentRequest,
} from "./support/fake_host.ts";

const V2 = "/metadata/identity/getplatformmetadata";
const V1 = "/metadata/identity/oauth2/token";
const COMPUTE = "/metadata/instance/compute";

/** Answers by path: a status, JSON, or nothing at all. */
function metadata(answers: Readonly<Record<string, number | object>>) {
  return (_i: number, { url }: SentRequest): Response => {
    const answer = answers[new URL(url).pathname];
    if (answer === undefined) throw new TypeError("fetch failed");
    return typeof answer === "number"
      ? new Response("{}", { status: answer })
      : Response.json(answer);
  };
}

const paths = (sent: readonly SentRequest[]) => sent.map(({ url }) => new URL(url).pathname);

describe("capabilities", () => {
  for (const [source, environment] of Object.entries(ENVIRONMENTS)) {
    if (source === "Imds") continue;
    it(`of ${source}: bearer tokens only, without a request`, async () => {
      const { sources, sent } = fakeHost(environment, {
        keyStrength: () => Promise.resolve("keyguard"),
      });
      assert.deepEqual(await sources.capabilities(), {
        source,
        boundTokens: false,
        reason: `The source ${source} issues no bound tokens.`,
        strength: "none",
      });
      assert.equal(sent.length, 0);
    });
  }

  const strengths: [string, (() => Promise<KeyStrength>) | undefined, string][] = [
    ["where nobody says more", undefined, "software"],
    ["of KeyGuard", () => Promise.resolve("keyguard"), "keyguard"],
    ["of hardware", () => Promise.resolve("hardware"), "hardware"],
    ["where the provider fails", () => Promise.reject(new Error("no driver")), "software"],
  ];
  for (const [name, keyStrength, strength] of strengths) {
    it(`with IMDSv2: bound tokens by keys ${name}`, async () => {
      const { sources, sent } = fakeHost({}, {
        answer: metadata({ [V2]: 400 }),
        ...(keyStrength === undefined ? {} : { keyStrength }),
      });
      assert.deepEqual(await sources.capabilities(), {
        source: "Imds",
        boundTokens: true,
        strength,
      });
      assert.deepEqual(paths(sent), [V2]);
    });
  }

  it("are probed for without the Metadata header, with the identity's selector", async () => {
    for (
      const [kind, selector] of [
        ["the host's own", ""],
        ["a client id", "&client_id=client%20id%2F1"],
        ["a resource id", "&mi_res_id=%2Fsubscriptions%2Fs%26x%3D1%2Fid"],
        ["an object id", "&object_id=object-1"],
      ] as const
    ) {
      const { sources, sent } = fakeHost({}, {
        answer: metadata({ [V2]: 404, [V1]: 400, [COMPUTE]: {} }),
        crypto: { randomUUID: () => "11111111-2222-4333-8444-000000000000" },
      });
      await sources.capabilities({ identity: resolveIdentity(IDENTITIES[kind]) });
      const headers = { "x-ms-client-request-id": "11111111-2222-4333-8444-000000000000" };
      const base = "http://169.254.169.254";
      assert.deepEqual(sent.map(({ url, headers }) => [url, headers]), [
        [`${base}${V2}?cred-api-version=2.0${selector}`, headers],
        [`${base}${V1}?api-version=2018-02-01${selector}`, headers],
        [`${base}${COMPUTE}?api-version=2021-02-01`, { metadata: "true" }],
      ]);
      assert.ok(sent.every(({ method, redirect }) => method === "GET" && redirect === "manual"));
    }
  });

  const hosts: [string, number | object, string][] = [
    [
      "TrustedLaunch",
      { osType: "Windows", securityProfile: { securityType: "TrustedLaunch" } },
      "software",
    ],
    ["ConfidentialVM in any case", {
      osType: "WINDOWS",
      securityProfile: { securityType: "confidentialvm" },
    }, "software"],
    ["Linux", { osType: "Linux", securityProfile: { securityType: "TrustedLaunch" } }, "none"],
    ["Standard", { osType: "Windows", securityProfile: { securityType: "Standard" } }, "none"],
    ["no profile", { osType: "Windows" }, "none"],
    ["no metadata", 404, "none"],
  ];
  for (const [name, compute, strength] of hosts) {
    it(`with IMDSv1 on a host of ${name}: bearer tokens, strength ${strength}`, async () => {
      const { sources, clock } = fakeHost({}, {
        answer: metadata({ [V2]: 404, [V1]: 400, [COMPUTE]: compute }),
      });
      const found = await drive(clock, sources.capabilities({ deadline: 60_000 }));
      assert.deepEqual(found, {
        source: "Imds",
        boundTokens: false,
        reason: "IMDSv2: HTTP 404 instead of 400. IMDSv1 issues no bound tokens.",
        strength,
      });
    });
  }

  it("aren't there where nothing answers as the metadata service does", async () => {
    const rows: [Record<string, number>, string][] = [
      [{}, "IMDSv2: no connection. IMDSv1: no connection."],
      [
        { [V2]: 200, [V1]: 200 },
        "IMDSv2: HTTP 200 instead of 400. IMDSv1: HTTP 200 instead of 400.",
      ],
      [
        { [V2]: 404, [V1]: 404 },
        "IMDSv2: HTTP 404 instead of 400. IMDSv1: HTTP 404 instead of 400.",
      ],
    ];
    for (const [answers, reason] of rows) {
      const { sources, sent } = fakeHost({}, { answer: metadata(answers) });
      assert.deepEqual(await sources.capabilities(), {
        boundTokens: false,
        reason,
        strength: "none",
      });
      assert.deepEqual(paths(sent), [V2, V1]);
    }
  });

  it("aren't there where a probe is redirected, which isn't followed", async () => {
    const { sources, sent } = fakeHost({}, { answer: metadata({ [V2]: 307 }) });
    const { source, reason } = await sources.capabilities();
    assert.equal(source, undefined);
    assert.match(reason!, /^IMDSv2: .*redirect.*307.* IMDSv1: no connection\.$/);
    assert.deepEqual(paths(sent), [V2, V1]);
  });

  it("are probed for four times where the service fails, the deadline permitting", async () => {
    const { sources, sent, clock } = fakeHost({}, {
      answer: metadata({ [V2]: 500, [V1]: 400, [COMPUTE]: {} }),
    });
    await drive(clock, sources.capabilities({ deadline: 60_000 }));
    assert.deepEqual(paths(sent), [V2, V2, V2, V2, V1, COMPUTE]);
  });

  it("that were found stay found", async () => {
    const { sources, sent, clock } = fakeHost({}, { answer: metadata({ [V2]: 400 }) });
    const found = await sources.capabilities();
    await clock.advance(1e9);
    assert.equal(await sources.capabilities(), found);
    assert.equal(sent.length, 1);
  });

  it("that weren't found are looked for again after 60 seconds", async () => {
    const answers: Record<string, number> = {};
    const { sources, sent, clock } = fakeHost({}, { answer: metadata(answers) });
    assert.equal((await sources.capabilities()).source, undefined);
    answers[V2] = 400;
    await clock.advance(59_999);
    assert.equal((await sources.capabilities()).source, undefined);
    assert.equal(sent.length, 2);
    await clock.advance(1);
    assert.equal((await sources.capabilities()).source, "Imds");
  });

  it("are found once for all who ask at the same time", async () => {
    const { sources, sent } = fakeHost({}, { answer: metadata({ [V2]: 400 }) });
    const all = await Promise.all(Array.from({ length: 10 }, () => sources.capabilities()));
    assert.equal(new Set(all).size, 1);
    assert.equal(sent.length, 1);
  });

  it("of an environment that can't be right are an error", async () => {
    const { sources } = fakeHost({ AZURE_POD_IDENTITY_AUTHORITY_HOST: "nowhere" });
    await assert.rejects(sources.capabilities(), { code: "invalid_managed_identity_endpoint" });
  });

  it("refuse a deadline that is none", async () => {
    const { sources } = fakeHost({});
    for (const deadline of [0, -1, NaN, Infinity, 1.5, 2 ** 31]) {
      await assert.rejects(sources.capabilities({ deadline }), { code: "invalid_argument" });
    }
  });
});

describe("the deadline of capabilities", () => {
  const silent = () => {
    const signals: AbortSignal[] = [];
    const answer = (_i: number, _request: SentRequest, signal: AbortSignal) => {
      signals.push(signal);
      return new Promise<Response>(() => {});
    };
    return { signals, ...fakeHost({}, { answer }) };
  };

  it("is a second, after which there is nothing and nothing goes on", async () => {
    const { sources, clock, signals } = silent();
    const asked = sources.capabilities();
    await until(() => signals.length === 1);
    let answered = false;
    asked.then(() => answered = true);
    await clock.advance(999);
    assert.equal(answered, false);
    await clock.advance(1);
    assert.deepEqual(await asked, {
      boundTokens: false,
      reason: "There was no answer from the metadata service within 1000 ms.",
      strength: "none",
    });
    assert.equal(signals[0]!.aborted, true);
    assert.equal(clock.sleepers, 0);
  });

  it("is believed for 60 seconds by who has no more patience", async () => {
    const { sources, clock, sent } = silent();
    const asked = sources.capabilities({ deadline: 500 });
    await until(() => sent.length === 1);
    await clock.advance(500);
    await asked;
    await sources.capabilities({ deadline: 500 });
    await sources.capabilities({ deadline: 100 });
    assert.equal(sent.length, 1);
    const patient = sources.capabilities({ deadline: 501 });
    await until(() => sent.length === 2);
    await clock.advance(501);
    await patient;
  });

  it("of one caller isn't another's", async () => {
    const { sources, clock, sent, signals } = silent();
    const hasty = sources.capabilities({ deadline: 100 });
    const patient = sources.capabilities({ deadline: 5000 });
    await until(() => sent.length === 1);
    await clock.advance(100);
    assert.match((await hasty).reason!, /100 ms/);
    assert.equal(signals[0]!.aborted, false);
    await clock.advance(4900);
    assert.match((await patient).reason!, /5000 ms/);
    assert.equal(sent.length, 1);
  });

  it("is not an abort, which rejects with its reason and proves nothing", async () => {
    const { sources, sent, signals, clock } = silent();
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const asked = sources.capabilities({ signal: controller.signal });
    asked.catch(() => {});
    await until(() => sent.length === 1);
    controller.abort(reason);
    await assert.rejects(asked, reason);
    assert.equal(signals[0]!.aborted, true);
    assert.equal(clock.sleepers, 0);
    await assert.rejects(sources.capabilities({ signal: controller.signal }), reason);
    const again = sources.capabilities();
    await until(() => sent.length === 2);
    await clock.advance(1000);
    await again;
  });
});

describe("a token of a host without managed identity", () => {
  it("is refused without a request while that is known", async () => {
    const { sources, sent, clock } = fakeHost({}, { answer: metadata({}) });
    await sources.capabilities();
    assert.equal(sent.length, 2);
    await assert.rejects(sources.token(query()), {
      code: "managed_identity_all_sources_unavailable",
      retryable: true,
    });
    assert.equal(sent.length, 2);
    await clock.advance(60_000);
    await assert.rejects(sources.token(query()), { code: "managed_identity_unreachable_network" });
    assert.equal(sent.length, 3);
  });

  it("is asked for after a discovery that was given little time", async () => {
    const { sources, sent, clock } = fakeHost({}, {
      answer: (i) =>
        i === 0 ? new Promise(() => {}) : Response.json({ access_token: "t", expires_in: 60 }),
    });
    const asked = sources.capabilities({ deadline: 10 });
    await until(() => sent.length === 1);
    await clock.advance(10);
    await asked;
    assert.equal((await sources.token(query())).accessToken, "t");
  });

  it("is asked for where nobody has looked", async () => {
    const { sources, sent } = fakeHost({}, { answer: metadata({}) });
    await assert.rejects(sources.token(query()), { code: "managed_identity_unreachable_network" });
    assert.equal(sent.length, 1);
  });
});
