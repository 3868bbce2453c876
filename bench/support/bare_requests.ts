/**
 * The same requests with nothing around them: what the network and the runtime's own TLS take.
 *
 * @module
 */

import { type Agent, request, type RequestOptions } from "node:https";
import type { Binding } from "../../src/binding/binding.ts";
import { base64 } from "../../src/encoding.ts";
import { isPemExportable } from "../../src/keys.ts";
import type { BoundToken } from "../../src/token/result.ts";
import { encodePem } from "../../src/x509/pem.ts";

/** A certificate and its key as the runtime's TLS takes them. */
export interface ClientPem {
  /** The certificate. */
  readonly cert: string;
  /** The private key. */
  readonly key: string;
}

/** The binding's certificate and key; its key is a software one. */
export async function clientPem({ credential }: Binding): Promise<ClientPem> {
  const { key, leaf } = credential;
  if (!isPemExportable(key)) throw new Error("Not a key in software.");
  return { cert: encodePem("CERTIFICATE", leaf.der), key: await key.exportPem() };
}

/** The two requests of a mint; `csr` is the DER of any certification request. */
export async function bareMint(metadata: string, csr: Uint8Array<ArrayBuffer>): Promise<void> {
  const headers = { Metadata: "true", Accept: "application/json" };
  const url = (path: string) => `${metadata}/metadata/identity/${path}?cred-api-version=2.0`;
  const found = await fetch(url("getplatformmetadata"), { headers });
  await found.text();
  const issued = await fetch(url("issuecredential"), {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json; charset=utf-8" },
    body: JSON.stringify({ csr: base64(csr), attestation_token: "" }),
  });
  await issued.text();
  if (!found.ok || !issued.ok) throw new Error("The metadata service refused.");
}

/** Whom to trust, what to present, and the connection to use: a new one without an agent. */
export interface BareClient extends ClientPem {
  /** PEM of the server's CA. */
  readonly ca: string;
  /** Keeps connections. */
  readonly agent?: Agent;
}

/** The token request. */
export async function bareToken(
  { endpoint, clientId }: Binding,
  resource: string,
  client: BareClient,
): Promise<void> {
  const form = new URLSearchParams({
    client_id: clientId,
    scope: `${resource}/.default`,
    grant_type: "client_credentials",
    token_type: "mtls_pop",
  });
  await bareRequest(`${endpoint}/oauth2/v2.0/token`, { ...client, maxVersion: "TLSv1.2" }, form);
}

/** A request to a resource server with a token that is bound to the client's certificate. */
export async function bareUse(url: string, token: BoundToken, client: BareClient): Promise<void> {
  const headers = { Authorization: `${token.tokenType} ${token.accessToken}` };
  await bareRequest(url, { ...client, headers });
}

function bareRequest(
  url: string,
  options: RequestOptions & BareClient,
  form?: URLSearchParams,
): Promise<void> {
  const body = form?.toString();
  const posted = body === undefined ? {} : {
    method: "POST",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "Content-Length": body.length,
    },
  };
  return new Promise((resolve, reject) => {
    request(url, { agent: false, ...options, ...posted }, (response) => {
      response.resume().on("error", reject).on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url} refused: ${response.statusCode}.`));
      });
    }).on("error", reject).end(body);
  });
}
