/**
 * An Azure Key Vault on the resource server: secrets, and keys that sign. It is filled as a real one
 * is, through its own interface, asks for a token by a challenge, and wants to be told when that
 * token is bound.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Core } from "./core.ts";
import {
  type Exchange,
  type Handler,
  jsonObject,
  methodNotAllowed,
  type Reply,
} from "./exchange.ts";
import {
  createVaultKey,
  newVersion,
  signDigest,
  type VaultKey,
  type VaultKeyType,
} from "./key_vault_keys.ts";
import type { VaultSecret } from "./key_vault_objects.ts";
import { authorize } from "./resource_server.ts";
import type { JsonObject } from "./steps.ts";

/** Names of keys and secrets, and most versions of each. */
const NAME = "([0-9A-Za-z-]{1,127})";
const VERSION_LIMIT = 1000;

const PATHS = {
  secret: new RegExp(`^/secrets/${NAME}(?:/([0-9a-f]{32})?)?$`),
  createKey: new RegExp(`^/keys/${NAME}/create$`),
  sign: new RegExp(`^/keys/${NAME}/([0-9a-f]{32})?/?sign$`),
  key: new RegExp(`^/keys/${NAME}(?:/([0-9a-f]{32})?)?$`),
};

const API_VERSION = /^(?:7\.[4-9]|20\d\d-\d\d-\d\d(?:-preview)?)$/;
const KEY_TYPES: readonly string[] = ["RSA", "RSA-HSM", "EC", "EC-HSM"];
const RSA_SIZES: readonly unknown[] = [2048, 3072, 4096];

/** Whether a request is for the vault: all of the vault's name a version, and no others do. */
export function isVaultRequest(path: string, { url = "" }: IncomingMessage): boolean {
  // The SDK writes "api%2Dversion".
  const [, query = ""] = url.split("?");
  return /^\/(?:secrets|keys)\//.test(path) && new URLSearchParams(query).has("api-version");
}

/** Handler of everything in the vault. */
export function keyVault(core: Core): Handler {
  return async (exchange) => {
    const version = exchange.query.get("api-version") ?? "";
    if (!API_VERSION.test(version)) {
      return failure(400, "BadParameter", `The api-version '${version.slice(0, 32)}' isn't known.`);
    }
    const access = await authorize(core, exchange);
    if ("reason" in access) return challenge(core, exchange, access.reason);
    if (access.thumbprint !== null && exchange.headers["x-ms-tokenboundauth"] !== "true") {
      return challenge(core, exchange, "A bound token goes with x-ms-tokenboundauth: true");
    }
    return answer(core, exchange);
  };
}

function answer(core: Core, exchange: Exchange): Reply {
  const { method, path } = exchange;
  const matched = (pattern: RegExp) => {
    const [, name, version] = pattern.exec(path) ?? [];
    return name === undefined ? undefined : { name, version };
  };
  const secret = matched(PATHS.secret);
  if (secret !== undefined) {
    if (method === "PUT") return putSecret(core, exchange, secret.name);
    return method === "GET" ? getSecret(core, exchange, secret) : methodNotAllowed("GET, PUT");
  }
  const created = matched(PATHS.createKey);
  if (created !== undefined) {
    return method === "POST" ? createKey(core, exchange, created.name) : methodNotAllowed("POST");
  }
  const signing = matched(PATHS.sign);
  if (signing !== undefined) {
    return method === "POST" ? sign(core, exchange, signing) : methodNotAllowed("POST");
  }
  const key = matched(PATHS.key);
  if (key === undefined) return failure(404, "NotFound", "There is nothing at this path.");
  if (method !== "GET" && method !== "DELETE") return methodNotAllowed("GET, DELETE");
  const found = latest(core.vault.keys, key);
  if (found === undefined) return noKey(key.name);
  if (method === "DELETE") core.vault.keys.delete(key.name);
  return { status: 200, json: keyBundle(exchange, key.name, found) };
}

/** What a version is found by. */
interface Named {
  readonly name: string;
  readonly version: string | undefined;
}

function latest<Kind extends { readonly version: string }>(
  all: ReadonlyMap<string, readonly Kind[]>,
  { name, version }: Named,
): Kind | undefined {
  const versions = all.get(name.toLowerCase()) ?? [];
  return version === undefined
    ? versions.at(-1)
    : versions.find((candidate) => candidate.version === version);
}

function add<Kind>(all: Map<string, Kind[]>, name: string, version: Kind): void {
  const versions = all.get(name.toLowerCase()) ?? [];
  all.set(name.toLowerCase(), [...versions, version].slice(-VERSION_LIMIT));
}

function putSecret(core: Core, exchange: Exchange, name: string): Reply {
  const { value, contentType } = jsonObject(exchange.body) ?? {};
  const isGood = typeof value === "string" &&
    (contentType === undefined || typeof contentType === "string");
  if (!isGood) return failure(400, "BadParameter", "The secret has no 'value'.");
  const secret = { version: newVersion(), created: seconds(core), value, contentType };
  add(core.vault.secrets, name, secret);
  return { status: 200, json: secretBundle(exchange, name, secret) };
}

function getSecret(core: Core, exchange: Exchange, named: Named): Reply {
  const secret = latest(core.vault.secrets, named);
  return secret === undefined
    ? failure(404, "SecretNotFound", `A secret with (name/id) ${named.name} was not found.`)
    : { status: 200, json: secretBundle(exchange, named.name, secret) };
}

function createKey(core: Core, exchange: Exchange, name: string): Reply {
  const { kty, key_size: size = 2048, crv = "P-256" } = jsonObject(exchange.body) ?? {};
  const isGood = typeof kty === "string" && KEY_TYPES.includes(kty) && RSA_SIZES.includes(size) &&
    crv === "P-256";
  if (!isGood) return failure(400, "BadParameter", "This kind of key isn't made here.");
  const key = createVaultKey(kty as VaultKeyType, size as number, seconds(core));
  add(core.vault.keys, name, key);
  return { status: 200, json: keyBundle(exchange, name, key) };
}

function sign(core: Core, exchange: Exchange, named: Named): Reply {
  const key = latest(core.vault.keys, named);
  if (key === undefined) return noKey(named.name);
  const { alg, value } = jsonObject(exchange.body) ?? {};
  const signature = typeof alg === "string" && typeof value === "string"
    ? signDigest(key, alg, Buffer.from(value, "base64url"))
    : undefined;
  if (signature === undefined) {
    return failure(400, "BadParameter", "The algorithm and the digest don't fit the key.");
  }
  const kid = idOf(exchange, "keys", named.name, key.version);
  return { status: 200, json: { kid, value: signature.toString("base64url") } };
}

function secretBundle(exchange: Exchange, name: string, secret: VaultSecret): JsonObject {
  const { value, version, contentType, created } = secret;
  return {
    value,
    ...(contentType === undefined ? {} : { contentType }),
    id: idOf(exchange, "secrets", name, version),
    attributes: attributes(created),
  };
}

function keyBundle(exchange: Exchange, name: string, key: VaultKey): JsonObject {
  const { n, e, x, y, crv } = key.publicKey;
  const numbers: JsonObject = key.type.startsWith("RSA")
    ? { n: `${n}`, e: `${e}` }
    : { crv: `${crv}`, x: `${x}`, y: `${y}` };
  return {
    key: {
      kid: idOf(exchange, "keys", name, key.version),
      kty: key.type,
      key_ops: ["sign", "verify"],
      ...numbers,
    },
    attributes: attributes(key.created),
  };
}

function attributes(created: number): JsonObject {
  return { enabled: true, created, updated: created, recoveryLevel: "Purgeable" };
}

function idOf({ headers }: Exchange, kind: string, name: string, version: string): string {
  return `https://${headers.host}/${kind}/${name}/${version}`;
}

function seconds(core: Core): number {
  return Math.floor(core.now() / 1000);
}

/** The challenge names a tenant and a resource, whatever was wrong. */
function challenge(core: Core, { headers }: Exchange, reason: string): Reply {
  const { defaultTenantId } = core.surroundings;
  const what = headers.authorization === undefined ? "" : `, error="invalid_token", ` +
    `error_description="${reason}"`;
  return {
    ...failure(401, "Unauthorized", reason),
    headers: {
      "www-authenticate": `Bearer authorization="https://login.microsoftonline.com/` +
        `${defaultTenantId}", resource="https://vault.azure.net"${what}`,
    },
  };
}

function noKey(name: string): Reply {
  return failure(
    404,
    "KeyNotFound",
    `A key with (name/id) ${name} was not found in this key vault.`,
  );
}

function failure(status: number, code: string, message: string): Reply {
  return { status, json: { error: { code, message } } };
}
