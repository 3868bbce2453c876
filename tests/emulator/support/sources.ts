/**
 * Requests to the managed identity sources, made from the environments the emulator publishes.
 *
 * @module
 */

import type { Emulator, EndpointName, Json, SourceEnvironments } from "../../../emulator/mod.ts";
import type { Sending } from "./http.ts";

/** A source by its name among the environments. */
export type SourceName = keyof SourceEnvironments;

/** All of them. */
export const SOURCES: readonly SourceName[] = [
  "appservice",
  "machinelearning",
  "cloudshell",
  "arc",
  "servicefabric",
  "imds",
];

/** The endpoint that serves a source. */
export function endpointOf(source: SourceName): EndpointName {
  return source === "imds" ? "imdsv1" : source;
}

/** A request, ready to be sent; `form` is the body of one that has a body. */
export interface Asked {
  readonly url: string;
  readonly sending: Sending;
  readonly form?: string;
}

type Values = Readonly<Record<string, string | undefined>>;

/** A good token request for the key vault, with these parameters and headers changed. */
export function asked(
  emulator: Emulator,
  source: SourceName,
  parameters: Values = {},
  headers: Values = {},
): Asked {
  const good = goodRequest(emulator, source);
  const encoded = new URLSearchParams(given({
    resource: "https://vault.azure.net",
    ...good.parameters,
    ...parameters,
  })).toString();
  const sending = {
    headers: given({ ...good.headers, ...headers }),
    ca: emulator.serviceFabricCertificate,
  };
  if (source !== "cloudshell") return { url: `${good.endpoint}?${encoded}`, sending };
  return {
    url: good.endpoint,
    sending: { ...sending, method: "POST" },
    form: encoded,
  };
}

/** The claims of the token in an answer, unchecked. */
export function claimsOf(json: Readonly<Record<string, Json>>): Record<string, Json> {
  const [, payload = ""] = `${json["access_token"]}`.split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString());
}

function goodRequest(
  { sources }: Emulator,
  source: SourceName,
): { endpoint: string; parameters: Values; headers: Values } {
  switch (source) {
    case "appservice": {
      const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret } = sources.appservice;
      const parameters = { "api-version": "2019-08-01" };
      return { endpoint, parameters, headers: { "x-identity-header": secret } };
    }
    case "machinelearning": {
      const { MSI_ENDPOINT, MSI_SECRET, DEFAULT_IDENTITY_CLIENT_ID } = sources.machinelearning;
      const parameters = { "api-version": "2017-09-01", clientid: DEFAULT_IDENTITY_CLIENT_ID };
      return { endpoint: MSI_ENDPOINT, parameters, headers: { secret: MSI_SECRET } };
    }
    case "cloudshell":
      return {
        endpoint: sources.cloudshell.MSI_ENDPOINT,
        parameters: {},
        headers: { metadata: "true", "content-type": "application/x-www-form-urlencoded" },
      };
    case "arc":
      return {
        endpoint: sources.arc.IDENTITY_ENDPOINT,
        parameters: { "api-version": "2020-06-01" },
        headers: { metadata: "true" },
      };
    case "servicefabric": {
      const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret } = sources.servicefabric;
      return { endpoint, parameters: { "api-version": "2020-05-01" }, headers: { secret } };
    }
    case "imds":
      return {
        endpoint:
          `${sources.imds.AZURE_POD_IDENTITY_AUTHORITY_HOST}/metadata/identity/oauth2/token`,
        parameters: { "api-version": "2018-02-01" },
        headers: { metadata: "true" },
      };
  }
}

function given(values: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
  );
}
