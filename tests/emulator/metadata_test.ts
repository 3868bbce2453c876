import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  DEFAULT_IDENTITIES,
  DEFAULT_TENANT_ID,
  type Emulator,
  startEmulator,
} from "../../emulator/mod.ts";
import { getMetadata, send, V2 } from "./support/http.ts";

const [SYSTEM, USER] = [DEFAULT_IDENTITIES[0]!, DEFAULT_IDENTITIES[1]!];
const PLATFORM = "identity/getplatformmetadata";
const V1_TOKEN = "identity/oauth2/token";
const COMPUTE = "instance/compute";

describe("the emulated metadata service", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  describe("platform metadata", () => {
    const refusals: [string, string, Record<string, string>, string][] = [
      [
        "Metadata that isn't true",
        V2,
        { metadata: "yes" },
        "Required metadata header not specified",
      ],
      [
        "X-Forwarded-For",
        V2,
        { "x-forwarded-for": "10.0.0.1" },
        "X-Forwarded-For header is not allowed",
      ],
      ["no API version", "", {}, "The cred-api-version is missing or not supported."],
      [
        "another API version",
        "cred-api-version=1.0",
        {},
        "The cred-api-version is missing or not supported.",
      ],
      [
        "the API version twice",
        `${V2}&${V2}`,
        {},
        "The cred-api-version is missing or not supported.",
      ],
      [
        "an unknown client id",
        `${V2}&client_id=00000000-0000-4000-8000-000000000000`,
        {},
        "Identity not found",
      ],
      ["an empty selector", `${V2}&client_id=`, {}, "Identity not found"],
      [
        "two selectors",
        `${V2}&client_id=${USER.clientId}&object_id=${USER.objectId}`,
        {},
        "More than one identity was specified",
      ],
      [
        "the same selector twice",
        `${V2}&client_id=${USER.clientId}&client_id=${USER.clientId}`,
        {},
        "More than one identity was specified",
      ],
    ];
    for (const [what, query, headers, description] of refusals) {
      it(`refuses ${what}`, async () => {
        const answer = await getMetadata(emulator, `${PLATFORM}?${query}`, headers);
        assert.equal(answer.status, 400);
        assert.deepEqual(answer.json, { error: "invalid_request", error_description: description });
        assert.match(`${answer.headers.server}`, /^IMDS\//);
      });
    }

    it("refuses a request without Metadata and counts it as a probe", async () => {
      const answer = await send(`${emulator.metadata}/metadata/${PLATFORM}?${V2}`);
      assert.equal(answer.status, 400);
      assert.equal(answer.json["error_description"], "Required metadata header not specified");
      const counts = await emulator.counts();
      assert.equal(counts.imdsv2_probe, 1);
      assert.equal(counts.getplatformmetadata, 0);
    });

    it("refuses any method but GET", async () => {
      const url = `${emulator.metadata}/metadata/${PLATFORM}?${V2}`;
      const answer = await send(url, { method: "POST", headers: { metadata: "true" } });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, "GET");
    });

    it("is not found on a host that has IMDS v1 only, probes included", async () => {
      await emulator.set({ v1Only: true });
      assert.equal((await getMetadata(emulator, `${PLATFORM}?${V2}`)).status, 404);
      assert.equal((await send(`${emulator.metadata}/metadata/${PLATFORM}?${V2}`)).status, 404);
      const v1 = await send(`${emulator.metadata}/metadata/${V1_TOKEN}?api-version=2018-02-01`);
      assert.equal(v1.status, 400);
    });

    it("describes the system-assigned identity without a selector", async () => {
      const answer = await getMetadata(emulator, `${PLATFORM}?${V2}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.server, "IMDS/150.870.65.1854");
      assert.match(`${answer.headers["content-type"]}`, /^application\/json/);
      assert.deepEqual(answer.json, {
        cuId: { vmId: "test-vm-id", vmssId: "test-vmss-id" },
        clientId: SYSTEM.clientId,
        tenantId: DEFAULT_TENANT_ID,
        attestationEndpoint: emulator.attestation,
      });
      assert.equal((await emulator.counts()).getplatformmetadata, 1);
    });

    const selectors: [string, string][] = [
      ["client_id", USER.clientId],
      ["client_id", USER.clientId.toUpperCase()],
      ["object_id", USER.objectId!],
      ["mi_res_id", USER.resourceId!],
      ["msi_res_id", encodeURIComponent(USER.resourceId!)],
    ];
    for (const [name, value] of selectors) {
      it(`finds the user-assigned identity by ${name}=${value.slice(0, 16)}...`, async () => {
        const answer = await getMetadata(emulator, `${PLATFORM}?${V2}&${name}=${value}`);
        assert.equal(answer.json["clientId"], USER.clientId);
      });
    }
  });

  describe("the IMDS v1 token", () => {
    const query = "api-version=2018-02-01&resource=https://vault.azure.net";

    const refusals: [string, string][] = [
      ["no API version", "resource=https://vault.azure.net"],
      ["another API version", "api-version=2017-01-01&resource=https://vault.azure.net"],
      ["the API version twice", `${query}&api-version=2018-02-01`],
      ["no resource", "api-version=2018-02-01"],
      ["two resources", `${query}&resource=https://graph.microsoft.com`],
      ["another source's selector", `${query}&clientid=${USER.clientId}`],
      ["an unknown identity", `${query}&object_id=00000000-0000-4000-8000-000000000000`],
    ];
    for (const [what, wrong] of refusals) {
      it(`is refused for ${what}`, async () => {
        const answer = await getMetadata(emulator, `${V1_TOKEN}?${wrong}`);
        assert.equal(answer.status, 400);
        assert.equal(answer.json["error"], "invalid_request");
      });
    }

    it("is refused without Metadata and counted as a probe", async () => {
      assert.equal((await send(`${emulator.metadata}/metadata/${V1_TOKEN}?${query}`)).status, 400);
      assert.equal((await emulator.counts()).imdsv1_probe, 1);
    });

    it("is a bearer token that expires and is bound to nothing", async () => {
      const { status, json } = await getMetadata(emulator, `${V1_TOKEN}?${query}`);
      assert.equal(status, 200);
      assert.equal(json["token_type"], "Bearer");
      assert.equal(json["client_id"], SYSTEM.clientId);
      const claims = JSON.parse(
        Buffer.from(`${json["access_token"]}`.split(".")[1]!, "base64url").toString(),
      );
      assert.equal(claims.aud, "https://vault.azure.net");
      assert.equal(`${claims.exp}`, json["expires_on"]);
      assert.equal(claims.cnf, undefined);
      assert.equal((await emulator.counts()).imdsv1, 1);
    });

    it("comes with a slash at the path's end as well, which is how msal-node asks", async () => {
      const { status } = await getMetadata(emulator, `${V1_TOKEN}/?${query}`);
      assert.equal(status, 200);
      assert.equal((await emulator.counts()).imdsv1, 1);
    });
  });

  describe("compute metadata", () => {
    it("names its API versions to who asks without one", async () => {
      const answer = await getMetadata(emulator, COMPUTE);
      assert.equal(answer.status, 400);
      assert.equal((answer.json["newest-versions"] as string[])[0], "2021-02-01");
    });

    it("refuses a request without Metadata", async () => {
      const url = `${emulator.metadata}/metadata/${COMPUTE}?api-version=2021-02-01`;
      assert.equal((await send(url)).status, 400);
    });

    it("gives location, operating system and security type, as set", async () => {
      const compute = { location: "northeurope", osType: "Linux", securityType: "ConfidentialVM" };
      await emulator.set({ compute });
      const { json } = await getMetadata(emulator, `${COMPUTE}?api-version=2021-02-01`);
      assert.equal(json["location"], "northeurope");
      assert.equal(json["osType"], "Linux");
      assert.deepEqual(json["securityProfile"], { securityType: "ConfidentialVM" });
      assert.equal((await emulator.counts()).compute, 1);
    });
  });

  it("finds nothing at other paths, and counts that", async () => {
    assert.equal((await getMetadata(emulator, "identity/other")).status, 404);
    assert.equal((await emulator.counts()).unknown, 1);
  });
});
