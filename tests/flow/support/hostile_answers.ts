/**
 * Answers that are not what they should be, for tests of what becomes of them.
 *
 * @module
 */

import { base64 } from "../../../src/encoding.ts";
import { certificateAuthority, issueCertificate } from "../../support/certificates.ts";
import { EPOCH } from "../../support/clock.ts";
import {
  CLIENT_ID,
  DAY,
  type FakeEndpoint,
  fakeJwt,
  type Script,
  status,
  VAULT,
} from "../../support/fake_azure.ts";

/** The regular JSON answer with some fields changed; `undefined` takes one away. */
export function changed(fields: Readonly<Record<string, unknown>>): Script {
  return async (_sent, regular) => {
    const response = await regular();
    const body = { ...await response.json(), ...fields };
    return Response.json(body, { headers: response.headers });
  };
}

/** The regular answer with another body. */
export function body(text: string): Script {
  return async (_sent, regular) => new Response(text, { headers: (await regular()).headers });
}

/** A body that never ends. */
export function endless(): Script {
  return async (_sent, regular) => {
    const chunk = new Uint8Array(65_536).fill(0x20);
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
    return new Response(stream, { headers: (await regular()).headers });
  };
}

/** A redirect to another host. */
export function redirect(): Script {
  return () => new Response(null, { status: 307, headers: { location: "https://evil.example/" } });
}

const METADATA = "managed_identity_request_failed";
const TOKEN = "invalid_token_response";

/** Endpoints whose answers this library reads. */
export type HostileEndpoint = Exclude<FakeEndpoint, "resource">;

/** A wrong answer and the code of the error it makes. */
export type Row = readonly [name: string, script: Script, code: string];

/** Wrong answers of each endpoint. */
export const HOSTILE_ANSWERS: Readonly<Record<HostileEndpoint, readonly Row[]>> = {
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
    ["a certificate over another key", otherKeysCertificate(), "invalid_certificate"],
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
      tokenWith({ aud: "https://evil.example" }),
      "token_audience_mismatch",
    ],
    ["a token that isn't bound", tokenWith({ cnf: undefined }), "token_not_bound"],
    ["a token bound to another", tokenWith({ cnf: { "x5t#S256": "x" } }), "token_not_bound"],
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
export function tokenWith(claims: Readonly<Record<string, unknown>>): Script {
  return (sent) =>
    Response.json({
      token_type: "mtls_pop",
      expires_in: 3600,
      access_token: fakeJwt({ aud: VAULT, cnf: { "x5t#S256": sent.thumbprint }, ...claims }),
    });
}

/** A credential response with a certificate that is in force, over another key. */
export function otherKeysCertificate(): Script {
  return async (_sent, regular) => {
    const issuer = await certificateAuthority();
    const { der } = await issueCertificate({
      issuer,
      notBefore: EPOCH,
      notAfter: EPOCH + 30 * DAY,
    });
    const answer = await (await regular()).json();
    return Response.json({ ...answer, certificate: base64(der) });
  };
}
