/**
 * An environment, a challenge or an answer that can't be right, seen by who asks a managed identity
 * for a bearer token (protocol.md section 9.1).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import {
  type Answer,
  BEARER,
  bearerHost,
  ENVIRONMENTS,
  SOURCES,
  withoutImdsV2,
} from "./support/bearer_host.ts";

const ENDPOINT = "invalid_managed_identity_endpoint";
const FAILED = "managed_identity_request_failed";

describe("a bearer token", () => {
  const environments = [
    ["AppService", { IDENTITY_ENDPOINT: "localhost:1/x" }],
    ["AppService", { IDENTITY_ENDPOINT: "file:///etc/passwd" }],
    ["AppService", { IDENTITY_HEADER: "a\r\nb: c" }],
    ["MachineLearning", { MSI_ENDPOINT: "nowhere" }],
    ["CloudShell", { MSI_ENDPOINT: "ftp://localhost/" }],
    ["AzureArc", { IDENTITY_ENDPOINT: "http://u:p@localhost/" }],
    ["ServiceFabric", { IDENTITY_ENDPOINT: "http://localhost:2377/" }],
    ["ServiceFabric", { IDENTITY_SERVER_THUMBPRINT: "0".repeat(39) }],
    ["ServiceFabric", { IDENTITY_SERVER_THUMBPRINT: "0".repeat(64) }],
  ] as const;
  for (const [source, wrong] of environments) {
    it(`of ${source} with ${JSON.stringify(wrong)} is ${ENDPOINT}, before any request`, async () => {
      const host = await bearerHost({ ...ENVIRONMENTS[source], ...wrong });
      for (const binding of ["bearer", "preferred"] as const) {
        await assert.rejects(host.identity().getToken({ ...BEARER, binding }), (error) => {
          assert.ok(isKeyboundError(error, ENDPOINT), String(error));
          assert.equal(error.source, source);
          assert.ok(error.message.includes(Object.keys(wrong)[0]!));
          assert.ok(!error.message.includes(Object.values(wrong)[0]!));
          return true;
        });
      }
      assert.deepEqual([host.sent.length, host.azure.sent.length], [0, 0]);
    });
  }

  it(`with a metadata host that is none is ${ENDPOINT}, before there is an identity`, async () => {
    const host = await bearerHost({ AZURE_POD_IDENTITY_AUTHORITY_HOST: "nowhere" });
    assert.throws(() => host.identity(), { code: ENDPOINT });
  });

  const challenges = [
    "Basic realm=/etc/shadow.key",
    "Basic realm=/var/opt/azcmagent/tokens/../../../../etc/shadow.key",
    "Basic realm=/var/opt/azcmagent/tokens/sub/x.key",
    "Basic realm=/var/opt/azcmagent/tokens/.key",
    "Basic realm=/var/opt/azcmagent/tokens/x.txt",
    "Basic realm=/var/opt/azcmagent/tokensx/x.key",
    "Basic realm=/var/opt/azcmagent/tokens/x.key\u0020",
    'Basic realm="/var/opt/azcmagent/tokens/y.key"',
    "Basic",
    "Bearer realm=/var/opt/azcmagent/tokens/x.key",
  ];
  for (const challenge of challenges) {
    it(`challenged with ${challenge} is ${FAILED}, no file read`, async () => {
      const host = await bearerHost(ENVIRONMENTS.AzureArc);
      const reads: string[] = [];
      host.settings.files = new Proxy({}, {
        has: (_target, path) => (reads.push(String(path)), true),
        get: (_target, path) => (reads.push(String(path)), "content"),
      });
      host.settings.source = () =>
        new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
      const asked = host.identity().getToken(BEARER);
      if (challenge.endsWith(" ")) {
        // Headers lose white space at their end: what is left is a file of the agent's.
        await assert.rejects(asked, { code: FAILED });
        assert.deepEqual(new Set(reads), new Set(["/var/opt/azcmagent/tokens/x.key"]));
        return;
      }
      await assert.rejects(asked, { code: FAILED, source: "AzureArc" });
      assert.deepEqual(reads, []);
      assert.equal(host.sent.length, 1);
    });
  }

  const answers: [string, () => Response, string][] = [
    ["of 5 MB", () => new Response("x".repeat(5_000_000)), "response_too_large"],
    ["that is no JSON", () => new Response("<html>"), "managed_identity_response_parse_failure"],
    ["that is empty", () => new Response(""), FAILED],
    ["without a token", () => Response.json({ expires_on: "3600" }), FAILED],
    [
      "with a token no header can carry",
      () => Response.json({ access_token: "a\r\nb: c", expires_on: 3600 }),
      FAILED,
    ],
    ["without a time", () => Response.json({ access_token: "t" }), FAILED],
    ...["soon", "-1", "1e3", {}, [3600], true, "2030-02-30T00:00:00Z", "9".repeat(40)].map((
      time,
    ): [string, () => Response, string] => [
      `that lives until ${JSON.stringify(time)}`,
      () => Response.json({ access_token: "t", expires_on: time }),
      "invalid_timestamp_format",
    ]),
    [
      "that has expired",
      () => Response.json({ access_token: "t", expires_on: 1_700_000_000 }),
      "invalid_token_provider_response_value",
    ],
    ["that redirects", () => Response.redirect("https://elsewhere.example/"), "redirect_refused"],
  ];
  for (const [name, answer, code] of answers) {
    it(`from an answer ${name} is ${code} from every source, and nothing is kept`, async () => {
      for (const [source, environment] of SOURCES) {
        const host = await bearerHost(environment);
        const identity = host.identity();
        host.settings.source = answer as Answer;
        await assert.rejects(identity.getToken(BEARER), { code, source });
        host.settings.source = () => Response.json({ access_token: "t", expires_on: 3600 });
        assert.equal((await identity.getToken(BEARER)).fromCache, false);
      }
    });
  }

  it("that fails is the failure of a preferred one, too", async () => {
    const host = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    host.settings.source = () => Promise.reject(new TypeError("fetch failed"));
    for (const binding of ["bearer", "preferred"] as const) {
      await assert.rejects(host.identity().getToken({ ...BEARER, binding }), {
        code: "managed_identity_unreachable_network",
        retryable: true,
      });
    }
  });
});
