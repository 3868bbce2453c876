/**
 * Answers that are not what they should be: a clear code each, nothing cached, nothing good lost.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { base64 } from "../../src/encoding.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";
import {
  CLIENT_ID,
  DAY,
  type FakeAzure,
  fakeAzure,
  type FakeEndpoint,
  fakeJwt,
  type Script,
  status,
  VAULT,
} from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

/** The regular JSON answer with some fields changed; `undefined` takes one away. */
function changed(fields: Readonly<Record<string, unknown>>): Script {
  return async (_sent, regular) => {
    const response = await regular();
    const body = { ...await response.json(), ...fields };
    return Response.json(body, { headers: response.headers });
  };
}

/** The regular answer with another body. */
function body(text: string): Script {
  return async (_sent, regular) => new Response(text, { headers: (await regular()).headers });
}

/** A body that never ends. */
function endless(): Script {
  return async (_sent, regular) => {
    const chunk = new Uint8Array(65_536).fill(0x20);
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
    return new Response(stream, { headers: (await regular()).headers });
  };
}

function redirect(): Script {
  return () => new Response(null, { status: 307, headers: { location: "https://evil.example/" } });
}

const METADATA = "managed_identity_request_failed";
const TOKEN = "invalid_token_response";

type Row = readonly [name: string, script: Script, code: string];

const ROWS: Readonly<Record<Exclude<FakeEndpoint, "resource">, readonly Row[]>> = {
  getplatformmetadata: [
    ["nothing", body(""), METADATA],
    ["no JSON", body("<html>"), METADATA],
    ["JSON cut short", body('{"cuId":{"vmId":"a"},"clientId"'), METADATA],
    ["an array", body("[]"), METADATA],
    ["null", body("null"), METADATA],
    ["an endless body", endless(), "response_too_large"],
    ["a redirect", redirect(), "redirect_refused"],
    ["204", status(204), METADATA],
    ["400", status(400, { error: "invalid_request" }), METADATA],
    ["403", status(403), METADATA],
    ["500 for ever", status(500), METADATA],
    ["404", status(404), "mtls_pop_token_not_supported_in_imds_v1"],
    ["no Server header", async (_s, r) => new Response((await r()).body), METADATA],
    [
      "another Server header",
      async (_s, r) => new Response((await r()).body, { headers: { server: "I_MDS/1" } }),
      METADATA,
    ],
    ["no clientId", changed({ clientId: undefined }), METADATA],
    ["a blank tenantId", changed({ tenantId: "" }), METADATA],
    ["a clientId that is a number", changed({ clientId: 7 }), METADATA],
    ["a clientId in another case", changed({ clientId: undefined, clientid: CLIENT_ID }), METADATA],
    ["a clientId with NUL", changed({ clientId: "a\0b" }), METADATA],
    ["a tenantId with a path", changed({ tenantId: "a/../b" }), METADATA],
    ["no cuId", changed({ cuId: undefined }), METADATA],
    ["an empty cuId", changed({ cuId: {} }), METADATA],
    ["a blank cuId", changed({ cuId: { vmId: "", vmssId: "" } }), METADATA],
    ["a cuId that is text", changed({ cuId: "test-vm-id" }), METADATA],
    ["no attestationEndpoint", changed({ attestationEndpoint: undefined }), METADATA],
  ],
  issuecredential: [
    ["nothing", body(""), METADATA],
    ["no JSON", body("certificate"), METADATA],
    ["an endless body", endless(), "response_too_large"],
    ["a redirect", redirect(), "redirect_refused"],
    ["400", status(400, { error: "invalid_request" }), METADATA],
    ["no client_id", changed({ client_id: undefined }), METADATA],
    ["a client_id with NUL", changed({ client_id: "a\0" }), METADATA],
    ["a tenant_id of dots", changed({ tenant_id: ".." }), METADATA],
    ["no identity_type", changed({ identity_type: "" }), METADATA],
    ["no certificate", changed({ certificate: undefined }), METADATA],
    ["a certificate that is an object", changed({ certificate: {} }), METADATA],
    ["an http endpoint", changed({ mtls_authentication_endpoint: "http://h.example" }), METADATA],
    ["an endpoint with a user", changed({ mtls_authentication_endpoint: "https://u@h" }), METADATA],
    [
      "an endpoint with a query",
      changed({ mtls_authentication_endpoint: "https://h/?a" }),
      METADATA,
    ],
    ["an endpoint with NUL", changed({ mtls_authentication_endpoint: "https://h\0" }), METADATA],
    ["an endpoint that isn't a URL", changed({ mtls_authentication_endpoint: "h" }), METADATA],
    ["a certificate that isn't base64", changed({ certificate: "%%%" }), "invalid_certificate"],
    ["a certificate that isn't DER", changed({ certificate: "AAAA" }), "invalid_certificate"],
    ["a PEM certificate", changed({ certificate: btoa("-----BEGIN") }), "invalid_certificate"],
    ["a certificate over another key", otherCertificate({}), "invalid_certificate"],
  ],
  token: [
    ["nothing", body(""), TOKEN],
    ["no JSON", body("access_token"), TOKEN],
    ["{}", body("{}"), TOKEN],
    ["an endless body", endless(), "response_too_large"],
    ["a redirect", redirect(), "redirect_refused"],
    ["token_type Bearer", changed({ token_type: "Bearer" }), "token_type_mismatch"],
    ["no token_type", changed({ token_type: undefined }), "token_type_missing"],
    ["a token_type that is a number", changed({ token_type: 1 }), "token_type_mismatch"],
    ["no access_token", changed({ access_token: undefined }), TOKEN],
    ["an empty access_token", changed({ access_token: "" }), TOKEN],
    ["an access_token with NUL", changed({ access_token: "a\0b" }), TOKEN],
    ["an access_token with a line feed", changed({ access_token: "a\r\nX: y" }), TOKEN],
    ["no expires_in", changed({ expires_in: undefined }), TOKEN],
    ["expires_in 0", changed({ expires_in: 0 }), TOKEN],
    ["a negative expires_in", changed({ expires_in: -1 }), TOKEN],
    ["an expires_in for ever", changed({ expires_in: 1e300 }), TOKEN],
    ["an expires_in that isn't a number", changed({ expires_in: "soon" }), TOKEN],
    [
      "a token for another resource",
      token({ aud: "https://evil.example" }),
      "token_audience_mismatch",
    ],
    ["a token that isn't bound", token({ cnf: undefined }), "token_not_bound"],
    ["a token bound to another", token({ cnf: { "x5t#S256": "x" } }), "token_not_bound"],
    ["404", status(404), "not_found"],
    ["400 without an OAuth error", status(400, {}), "http_status_not_200"],
    [
      "400 with a web page",
      () => new Response("<html>", { status: 400 }),
      "non_parsable_oauth_error",
    ],
    ["an unknown OAuth error", status(400, { error: "brand_new" }), "oauth_error"],
  ],
};

/** A token response with a JWT of other claims. */
function token(claims: Readonly<Record<string, unknown>>): Script {
  return (sent) =>
    Response.json({
      token_type: "mtls_pop",
      expires_in: 3600,
      access_token: fakeJwt({ aud: VAULT, cnf: { "x5t#S256": sent.thumbprint }, ...claims }),
    });
}

/** A credential response with a certificate over another key, or of another time. */
function otherCertificate(request: Parameters<typeof issueCertificate>[0]): Script {
  return async (_sent, regular) => {
    const issuer = await certificateAuthority();
    const { der } = await issueCertificate({ issuer, ...request });
    const answer = await (await regular()).json();
    return Response.json({ ...answer, certificate: base64(der) });
  };
}

async function assertNothingLost(azure: FakeAzure): Promise<void> {
  assert.equal(azure.events.some(({ type }) => type === "evict"), false);
  const stored = await azure.store.list("system_assigned_managed_identity#att=0");
  assert.equal(stored.length, 1);
}

for (const [endpoint, rows] of Object.entries(ROWS) as [keyof typeof ROWS, readonly Row[]][]) {
  describe(`${endpoint} answering with`, () => {
    for (const [name, script, code] of rows) {
      it(`${name} gives ${code}, and the next answer is taken`, async () => {
        const azure = await fakeAzure();
        const identity = azure.identity();
        azure.always(endpoint, script);
        const failing = settling(azure, identity.getToken({ resource: VAULT }));
        await assert.rejects(failing, { name: "KeyboundError", code });
        azure.always(endpoint, undefined);
        const { fromCache } = await identity.getToken({ resource: VAULT });
        assert.equal(fromCache, false);
        await assertNothingLost(azure);
      });
    }
  });
}

describe("a certificate that isn't in force", () => {
  for (
    const [name, settings] of [
      ["has expired", { certificateBackdate: 8 * DAY }],
      ["expires this moment", { certificateBackdate: 7 * DAY }],
      ["will be valid later", { certificateBackdate: -(5 * 60_000 + 1000) }],
    ] as const
  ) {
    it(`because it ${name} is refused`, async () => {
      const azure = await fakeAzure();
      Object.assign(azure.settings, settings);
      const identity = azure.identity();
      await assert.rejects(identity.getToken({ resource: VAULT }), { code: "invalid_certificate" });
      assert.equal(azure.counts(), "1+1+0+0");
      azure.settings.certificateBackdate = 0;
      await identity.getToken({ resource: VAULT });
    });
  }

  it("but will be within 5 minutes is taken: clocks differ", async () => {
    const azure = await fakeAzure();
    azure.settings.certificateBackdate = -5 * 60_000;
    await azure.identity().getToken({ resource: VAULT });
  });
});

describe("a token that no client can read", () => {
  it("is taken: whether it is bound, only the resource can tell", async () => {
    for (const access_token of ["opaque", "a.b.c.d.e", "not.json.either"]) {
      const azure = await fakeAzure();
      azure.script("token", changed({ access_token }));
      const result = await azure.identity().getToken({ resource: VAULT });
      assert.equal(result.accessToken, access_token);
    }
  });

  it("for an application id or with another path is taken", async () => {
    for (const aud of ["cfa8b339-82a2-471a-a3c9-0fc0be7a4093", `${VAULT}/`, [VAULT, "x"]]) {
      const azure = await fakeAzure();
      azure.script("token", token({ aud }));
      await azure.identity().getToken({ resource: VAULT });
    }
  });
});

describe("what the caller gets wrong", () => {
  it("is said before any network", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const rows: [Parameters<typeof identity.getToken>[0], string][] = [
      [{ resource: "" }, "invalid_argument"],
      [{ resource: "/.default" }, "invalid_argument"],
      [{ resource: "https://a b" }, "invalid_argument"],
      [{ resource: "https://a\0" }, "invalid_argument"],
      [{ resource: "x".repeat(2049) }, "invalid_argument"],
      [{ resource: undefined as unknown as string }, "invalid_argument"],
      [{ resource: VAULT, claims: "{" }, "invalid_json_claims_format"],
      [{ resource: VAULT, claims: "[]" }, "invalid_json_claims_format"],
      [{ resource: VAULT, clientClaims: '"text"' }, "invalid_json_claims_format"],
      [{ resource: VAULT, attest: true }, "attestation_failed"],
      [{ resource: VAULT, minStrength: "hardware" }, "min_strength_not_met"],
      [{ resource: VAULT, minStrength: "keyguard" }, "min_strength_not_met"],
    ];
    for (const [options, code] of rows) {
      await assert.rejects(identity.getToken(options), { code }, JSON.stringify(options));
    }
    assert.equal(azure.counts(), "0+0+0+0");
  });

  it("in the options is said at once", async () => {
    const azure = await fakeAzure();
    const rows: [Parameters<typeof azure.identity>[0], string][] = [
      [{ clientId: "a", objectId: "b" }, "invalid_argument"],
      [{ clientId: " " }, "invalid_argument"],
      [{ resourceId: "a|b" }, "invalid_argument"],
      [{ objectId: "a\n" }, "invalid_argument"],
      [{ metadataTimeout: 0 }, "invalid_argument"],
      [{ remintCooldown: Number.NaN }, "invalid_argument"],
      ...["localhost:80", "ftp://h", "http://u:p@h", "http://h\0"].map((host) =>
        [
          { environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: host } },
          "invalid_managed_identity_endpoint",
        ] as [
          Parameters<typeof azure.identity>[0],
          string,
        ]
      ),
    ];
    for (const [options, code] of rows) {
      assert.throws(() => azure.identity(options), { code }, JSON.stringify(options));
    }
  });

  it("a host without a transport for its keys is said before a certificate is asked for", async () => {
    const azure = await fakeAzure();
    const transport = { ...azure.transport, name: "picky", accepts: () => false };
    const identity = azure.identity({ transports: [transport] });
    await assert.rejects(identity.getToken({ resource: VAULT }), {
      code: "transport_not_available",
    });
    await assert.rejects(identity.getToken({ resource: VAULT }), {
      code: "transport_not_available",
    });
    assert.equal(azure.sent.some(({ endpoint }) => endpoint !== "getplatformmetadata"), false);
    const known = await fakeAzure({ keys: azure.keys });
    const again = known.identity({ transports: [transport] });
    await assert.rejects(again.getToken({ resource: VAULT }), { code: "transport_not_available" });
    assert.equal(known.counts(), "0+0+0+0", "a key that is there is asked before any network");
  });

  it("a key that no certificate is issued for is said by its code", async () => {
    const inner = webcryptoKeys();
    const azure = await fakeAzure({
      keys: {
        name: "odd",
        open: (id) => inner.open(id),
        create: async (id, options) => ({
          ...await inner.create(id, options),
          schemes: [],
          spki: new Uint8Array([48, 0]),
        }),
        remove: (id) => inner.remove(id),
      },
    });
    await assert.rejects(azure.identity().getToken({ resource: VAULT }), { name: "KeyboundError" });
    assert.equal(azure.counts().split("+")[1], "0");
  });
});
