/**
 * The managed identity sources that are not the metadata service: App Service, Machine Learning,
 * Cloud Shell, Arc, Service Fabric (protocol.md sections 7.3 to 7.6).
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { bearerAnswer } from "./bearer_token.ts";
import type { Core } from "./core.ts";
import {
  type Exchange,
  type Handler,
  hasMetadataHeader,
  mediaType,
  methodNotAllowed,
  type Reply,
} from "./exchange.ts";
import { chooseIdentity, type Selector } from "./identity_selector.ts";
import { sameText } from "./same_text.ts";
import type { SecretSource } from "./source_environments.ts";
import type { Principal } from "./state.ts";

/** What a source takes of a request's parameters. */
interface Rules {
  /** API versions; none where the source has no `api-version`. */
  readonly versions: readonly string[];
  readonly selectors: readonly Selector[];
  /** The selector that there must be. */
  readonly required?: Selector;
}

/** A request that is good as far as its parameters go. */
interface Asked {
  readonly resource: string;
  readonly principal: Principal;
}

/** Handler of `GET` at App Service's `IDENTITY_ENDPOINT`. */
export function appService(core: Core): Handler {
  const rules: Rules = {
    versions: ["2019-08-01"],
    selectors: ["client_id", "object_id", "mi_res_id"],
  };
  return async (exchange) =>
    refuseMethod(exchange, "GET") ??
      refuseSecret(core, exchange, "appservice", "x-identity-header") ??
      await token(core, exchange.query, rules);
}

/** Handler of `GET` at Machine Learning's `MSI_ENDPOINT`. */
export function machineLearning(core: Core): Handler {
  const rules: Rules = {
    versions: ["2017-09-01"],
    selectors: ["clientid"],
    required: "clientid",
  };
  return async (exchange) =>
    refuseMethod(exchange, "GET") ??
      refuseSecret(core, exchange, "machinelearning", "secret") ??
      await token(core, exchange.query, rules);
}

/** Handler of `POST` at Cloud Shell's `MSI_ENDPOINT`. */
export function cloudShell(core: Core): Handler {
  const rules: Rules = { versions: [], selectors: [] };
  return async (exchange) => {
    const refusal = refuseMethod(exchange, "POST") ?? refuseMetadata(exchange);
    if (refusal !== undefined) return refusal;
    if (mediaType(exchange.headers) !== "application/x-www-form-urlencoded") {
      return badRequest("The content type is not application/x-www-form-urlencoded");
    }
    return await token(core, new URLSearchParams(new TextDecoder().decode(exchange.body)), rules);
  };
}

/** Handler of `GET` at Arc's `IDENTITY_ENDPOINT`: a challenge first, then the token. */
export function arc(core: Core): Handler {
  const rules: Rules = { versions: ["2020-06-01"], selectors: [] };
  return async (exchange) => {
    const refusal = refuseMethod(exchange, "GET") ?? refuseMetadata(exchange);
    if (refusal !== undefined) return refusal;
    const asked = read(core, exchange.query, rules);
    if ("status" in asked) return asked;
    const { challenges } = core.sourceHost;
    const { authorization } = exchange.headers;
    if (authorization === undefined) {
      return {
        ...sourceError(401, "unauthorized", "The content of the challenge file is required"),
        headers: { "www-authenticate": `Basic realm=${await challenges.issue()}` },
      };
    }
    const content = /^Basic (\S+)$/.exec(authorization)?.[1];
    if (content === undefined || !await challenges.spend(content)) {
      return sourceError(403, "forbidden", "This is not the content of an open challenge's file");
    }
    return { status: 200, json: { ...await bearerAnswer(core, asked) } };
  };
}

/** Handler of `GET` at Service Fabric's `IDENTITY_ENDPOINT`. */
export function serviceFabric(core: Core): Handler {
  const rules: Rules = {
    versions: ["2020-05-01", "2019-07-01-preview"],
    selectors: ["principalId"],
  };
  return async (exchange) => {
    const refusal = refuseMethod(exchange, "GET") ??
      refuseSecret(core, exchange, "servicefabric", "secret");
    if (refusal !== undefined) return refusal;
    const { query } = exchange;
    const hash = query.get("token_sha256_to_refresh");
    if (hash !== null && !/^[0-9a-f]{64}$/i.test(hash)) {
      return badRequest("The parameter 'token_sha256_to_refresh' is not a SHA-256 in hex");
    }
    const capabilities = query.get("xms_cc")?.split(",") ?? [];
    if (capabilities.includes("")) {
      return badRequest("The parameter 'xms_cc' is not a list of capabilities");
    }
    return await token(core, query, rules, capabilities);
  };
}

async function token(
  core: Core,
  parameters: URLSearchParams,
  rules: Rules,
  capabilities: readonly string[] = [],
): Promise<Reply> {
  const asked = read(core, parameters, rules);
  return "status" in asked
    ? asked
    : { status: 200, json: { ...await bearerAnswer(core, { ...asked, capabilities }) } };
}

/** What the parameters ask for, or how they are refused. */
function read(core: Core, parameters: URLSearchParams, rules: Rules): Asked | Reply {
  const names = [...parameters.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return badRequest("A parameter was given more than once");
  const { versions, selectors, required } = rules;
  if (versions.length > 0 && !versions.includes(parameters.get("api-version") ?? "")) {
    return badRequest("The api-version is missing or not supported");
  }
  const resource = parameters.get("resource");
  if (!resource) return badRequest("The parameter 'resource' is missing");
  if (required !== undefined && !parameters.has(required)) {
    return badRequest(`The parameter '${required}' is missing`);
  }
  const identity = chooseIdentity(core.surroundings.identities, parameters, selectors);
  if ("refusal" in identity) return badRequest(identity.refusal);
  return { resource, principal: identity.chosen };
}

function refuseMethod(exchange: Exchange, method: string): Reply | undefined {
  return exchange.method === method ? undefined : methodNotAllowed(method);
}

function refuseMetadata({ headers }: Exchange): Reply | undefined {
  return hasMetadataHeader(headers)
    ? undefined
    : badRequest("Required metadata header not specified");
}

function refuseSecret(
  core: Core,
  { headers }: Exchange,
  source: SecretSource,
  header: string,
): Reply | undefined {
  const given = headers[header];
  if (given === undefined) {
    return sourceError(401, "unauthorized", `The ${header} header is missing`);
  }
  return sameText(`${given}`, core.sourceHost.secrets[source])
    ? undefined
    : sourceError(403, "forbidden", `The ${header} header is wrong`);
}

function badRequest(message: string): Reply {
  return sourceError(400, "invalid_request", message);
}

/** The flat error body of these sources (protocol.md section 7.8). */
function sourceError(status: number, error: string, message: string): Reply {
  return { status, json: { error, message, correlationId: randomUUID() } };
}
