/**
 * What each source is sent, and what is refused before anything is sent (protocol.md sections 6.9,
 * 7.2 to 7.4).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import type { Environment, SourceName } from "../../src/sources/mod.ts";
import { VERSION } from "../../src/version.ts";
import {
  CORRELATION_ID,
  ENVIRONMENTS,
  fakeHost,
  IDENTITIES,
  type IdentityKind,
  query,
  SECRET,
  THUMBPRINT,
} from "./support/fake_host.ts";

const RESOURCE = "resource=https%3A%2F%2Fvault.azure.net%2F%3Fa%3Db%26c";
const CLIENT = "client%20id%2F1";
const RESOURCE_ID = "%2Fsubscriptions%2Fs%26x%3D1%2Fid";
const FABRIC = "https://localhost:2377/metadata/identity/oauth2/token?api-version=2020-05-01";
const APP = "http://127.0.0.1:41564/msi/token?api-version=2019-08-01";
const ML = "http://localhost:7071/msi/token?api-version=2017-09-01";
const ARC = "http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01";
const IMDS = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";
const RUNTIME = "user_assigned_managed_identity_not_configurable_at_runtime";
const UNSUPPORTED = "user_assigned_managed_identity_not_supported";
const ID_TYPE = "invalid_managed_identity_id_type";

/** The URL, or the code of the refusal. */
const URLS: Record<SourceName, Record<IdentityKind, string>> = {
  ServiceFabric: {
    "the host's own": `${FABRIC}&${RESOURCE}`,
    "a client id": RUNTIME,
    "a resource id": RUNTIME,
    "an object id": `${FABRIC}&${RESOURCE}&principalId=object-1`,
  },
  AppService: {
    "the host's own": `${APP}&${RESOURCE}`,
    "a client id": `${APP}&${RESOURCE}&client_id=${CLIENT}`,
    "a resource id": `${APP}&${RESOURCE}&mi_res_id=${RESOURCE_ID}`,
    "an object id": `${APP}&${RESOURCE}&object_id=object-1`,
  },
  MachineLearning: {
    "the host's own": `${ML}&${RESOURCE}&clientid=default-id`,
    "a client id": `${ML}&${RESOURCE}&clientid=${CLIENT}`,
    "a resource id": ID_TYPE,
    "an object id": ID_TYPE,
  },
  CloudShell: {
    "the host's own": "http://localhost:40342/metadata/identity/oauth2/token",
    "a client id": UNSUPPORTED,
    "a resource id": UNSUPPORTED,
    "an object id": UNSUPPORTED,
  },
  AzureArc: {
    "the host's own": `${ARC}&${RESOURCE}`,
    "a client id": UNSUPPORTED,
    "a resource id": UNSUPPORTED,
    "an object id": UNSUPPORTED,
  },
  Imds: {
    "the host's own": `${IMDS}&${RESOURCE}`,
    "a client id": `${IMDS}&${RESOURCE}&client_id=${CLIENT}`,
    "a resource id": `${IMDS}&${RESOURCE}&msi_res_id=${RESOURCE_ID}`,
    "an object id": `${IMDS}&${RESOURCE}&object_id=object-1`,
  },
};

const HEADERS: Record<SourceName, Record<string, string>> = {
  ServiceFabric: { secret: SECRET },
  AppService: { "x-identity-header": SECRET },
  MachineLearning: { secret: SECRET, metadata: "true" },
  CloudShell: { metadata: "true", "content-type": "application/x-www-form-urlencoded" },
  AzureArc: { metadata: "true" },
  Imds: {
    metadata: "true",
    "x-client-sku": "keybound",
    "x-client-ver": VERSION,
    "x-ms-client-request-id": CORRELATION_ID,
  },
};

describe("a token request", () => {
  for (
    const [source, urls] of Object.entries(URLS) as [SourceName, Record<IdentityKind, string>][]
  ) {
    for (const [kind, expected] of Object.entries(urls) as [IdentityKind, string][]) {
      if (/^https?:/.test(expected)) {
        it(`to ${source} for ${kind} is exactly this`, async () => {
          const { sources, sent } = fakeHost(ENVIRONMENTS[source]);
          const answer = await sources.token(query(IDENTITIES[kind]));
          assert.equal(answer.source, source);
          assert.deepEqual(sent, [{
            url: expected,
            method: source === "CloudShell" ? "POST" : "GET",
            headers: HEADERS[source],
            body: source === "CloudShell" ? RESOURCE : "",
            thumbprint: source === "ServiceFabric" ? THUMBPRINT : undefined,
            redirect: "manual",
          }]);
        });
      } else {
        it(`to ${source} for ${kind} is refused with ${expected}`, async () => {
          const { sources, sent } = fakeHost(ENVIRONMENTS[source]);
          await assert.rejects(sources.token(query(IDENTITIES[kind])), {
            code: expected,
            source,
            correlationId: CORRELATION_ID,
          });
          assert.equal(sent.length, 0);
        });
      }
    }
  }

  it("to MachineLearning without a default client id is refused", async () => {
    for (const DEFAULT_IDENTITY_CLIENT_ID of [undefined, ""]) {
      const environment = { ...ENVIRONMENTS.MachineLearning, DEFAULT_IDENTITY_CLIENT_ID };
      const { sources, sent } = fakeHost(environment);
      await assert.rejects(sources.token(query()), { code: ID_TYPE });
      assert.equal(sent.length, 0);
      await sources.token(query({ clientId: "c" }));
      assert.match(sent[0]!.url, /&clientid=c$/);
    }
  });

  it("carries capabilities and a revoked token's hash to ServiceFabric and nowhere else", async () => {
    const more = { capabilities: ["cp1", "cp2"], revokedTokenHash: "ab12" };
    for (const [source, environment] of Object.entries(ENVIRONMENTS)) {
      const { sources, sent } = fakeHost(environment);
      await sources.token(query({}, more));
      const { url, body } = sent[0]!;
      const told = /xms_cc|token_sha256_to_refresh|cp1|ab12/.test(url + body);
      assert.equal(told, source === "ServiceFabric", source);
      if (told) assert.ok(url.endsWith("&xms_cc=cp1%2Ccp2&token_sha256_to_refresh=ab12"), url);
    }
  });

  it("keeps a slash and a query that the endpoint has", async () => {
    const environment = {
      ...ENVIRONMENTS.AppService,
      IDENTITY_ENDPOINT: "http://127.0.0.1:41564/msi/token/?k=v",
    };
    const { sources, sent } = fakeHost(environment);
    await sources.token(query());
    assert.equal(
      sent[0]!.url,
      `http://127.0.0.1:41564/msi/token/?k=v&api-version=2019-08-01&${RESOURCE}`,
    );
  });

  it("to Arc goes to the agent's own port where the environment names none", async () => {
    const { sources, sent } = fakeHost({}, { files: { "/opt/azcmagent/bin/himds": "" } });
    await sources.token(query());
    assert.equal(new URL(sent[0]!.url).origin, "http://127.0.0.1:40342");
  });

  it("to Imds goes where AZURE_POD_IDENTITY_AUTHORITY_HOST says, its path thrown away", async () => {
    const { sources, sent } = fakeHost({
      AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:8080/thrown/away",
    });
    await sources.token(query());
    assert.ok(sent[0]!.url.startsWith("http://127.0.0.1:8080/metadata/identity/oauth2/token?"));
  });

  it("pins a thumbprint however it is written", async () => {
    const written = THUMBPRINT.toUpperCase().match(/../g)!.join(":") + " ";
    const environment = { ...ENVIRONMENTS.ServiceFabric, IDENTITY_SERVER_THUMBPRINT: written };
    const { sources, sent } = fakeHost(environment);
    await sources.token(query());
    assert.equal(sent[0]!.thumbprint, THUMBPRINT);
  });
});

describe("an environment that can't be right", () => {
  const rows: [SourceName, string, readonly string[]][] = [];
  const noUrls = [
    "localhost",
    "/no/host",
    "ftp://x/",
    "http://u:p@x/",
    "http://x/#f",
    "http://\n/",
  ];
  for (
    const [source, variable] of [
      ["AppService", "IDENTITY_ENDPOINT"],
      ["MachineLearning", "MSI_ENDPOINT"],
      ["CloudShell", "MSI_ENDPOINT"],
      ["AzureArc", "IDENTITY_ENDPOINT"],
      ["Imds", "AZURE_POD_IDENTITY_AUTHORITY_HOST"],
    ] as const
  ) rows.push([source, variable, source === "Imds" ? noUrls.slice(0, 4) : noUrls]);
  rows.push(
    ["ServiceFabric", "IDENTITY_ENDPOINT", [...noUrls, "http://localhost:2377/token"]],
    ["ServiceFabric", "IDENTITY_SERVER_THUMBPRINT", [
      "no-thumbprint",
      THUMBPRINT.slice(1),
      `${THUMBPRINT}0`,
      `g${THUMBPRINT.slice(1)}`,
    ]],
    ["ServiceFabric", "IDENTITY_HEADER", ["a\nb", "é"]],
    ["AppService", "IDENTITY_HEADER", ["a\nb", "é", " ", "x".repeat(4097)]],
    ["MachineLearning", "MSI_SECRET", ["a\r\nb: c"]],
  );
  for (const [source, variable, values] of rows) {
    it(`(${variable} of ${source}) is named, without its value, before any request`, async () => {
      for (const value of values) {
        const environment: Environment = { ...ENVIRONMENTS[source], [variable]: value };
        const { sources, sent } = fakeHost(environment);
        await assert.rejects(sources.token(query()), (error) => {
          assert.ok(isKeyboundError(error, "invalid_managed_identity_endpoint"), String(error));
          assert.equal(error.source, source);
          assert.equal(error.correlationId, CORRELATION_ID);
          assert.ok(error.message.includes(variable), error.message);
          if (value.trim().length > 1) assert.ok(!error.message.includes(value), error.message);
          return true;
        });
        assert.equal(sent.length, 0);
      }
    });
  }
});
