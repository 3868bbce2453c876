/**
 * Requests to Azure Key Vault, and what its refusals mean.
 *
 * @module
 */

import * as v from "valibot";
import { type Clock, systemClock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import { type Answer, exchange } from "../../src/http.ts";
import { fields, HttpsBase, parse, parseJson, text } from "../../src/parse.ts";
import { noRetryPolicy } from "../../src/policy/retry.ts";
import type { BindingWish } from "../../src/token/result.ts";
import type { VaultOptions } from "./options.ts";

/** What is asked of a vault. */
export interface VaultQuestion {
  /** `secrets` or `keys`, and what that is to the operator: for messages. */
  readonly kind: "secrets" | "keys";
  /** What the identity needs to be allowed, in the vault's words: for messages. */
  readonly permission: "Key Vault Secrets User" | "Key Vault Crypto User";
  /** The rest of the path, after kind and name. */
  readonly path: string;
  /** Body of a POST; without one it is a GET. */
  readonly body?: Readonly<Record<string, string>>;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** A vault, one of whose secrets or keys is asked for. */
export interface Vault {
  /** Name of the secret or key. */
  readonly name: string;
  /** Time. */
  readonly clock: Clock;
  /** Hashing and reading of keys. */
  readonly crypto: Crypto;
  /**
   * The vault's answer, in this shape.
   *
   * Rejects with `key_provider_unavailable` whatever the vault or the way to it is in trouble with,
   * `key_unusable` where it says that there is no such key, `not_found` where it says so of a secret,
   * and the signal's reason.
   */
  ask<T>(schema: v.GenericSchema<T>, question: VaultQuestion): Promise<T>;
}

const Name = text(/^[0-9A-Za-z-]{1,127}$/);
const Version = text(/^[0-9A-Za-z]{1,64}$/);
const ApiVersion = text(/^[0-9A-Za-z.-]{1,32}$/);
const Failure = fields({ error: fields({ code: v.string() }) });

const HOST = /\.((?:vault|managedhsm)\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))$/;

/** The vault of these options. Throws `invalid_argument` for what can't be right. */
export function vaultOf<Wish extends BindingWish>(options: VaultOptions<Wish>): Vault {
  const { identity, name, version, timeout = 10_000, apiVersion = "7.5" } = options;
  const { clock = systemClock(), crypto = globalThis.crypto } = options;
  const base = parse(HttpsBase, options.vaultUrl);
  if (base === undefined) throw invalid("'vaultUrl' must be an https URL.");
  if (parse(Name, name) === undefined) throw invalid("'name' must be letters, digits and hyphens.");
  if (version !== undefined && parse(Version, version) === undefined) {
    throw invalid("'version' must be letters and digits.");
  }
  if (parse(ApiVersion, apiVersion) === undefined) throw invalid("'apiVersion' must be a version.");
  if (!Number.isFinite(timeout) || timeout <= 0) throw invalid("'timeout' must be positive.");
  const [, host = "vault.azure.net"] = HOST.exec(new URL(base).hostname) ?? [];
  const resource = options.resource ?? `https://${host}`;
  const { binding } = options;
  const isBound = binding === undefined || binding === "mtls_pop";

  const send = async ({ kind, path, body, signal }: VaultQuestion): Promise<Answer> => {
    const url = new URL(`/${kind}/${name}${path}?api-version=${apiVersion}`, base).href;
    const headers = {
      Accept: "application/json",
      // Said here for vaults behind a name of their own; the identity knows the others.
      ...(isBound ? { "x-ms-tokenboundauth": "true" } : {}),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    };
    const init = body === undefined
      ? { headers }
      : { method: "POST", headers, body: JSON.stringify(body) };
    return await exchange(
      (attempt) =>
        identity.fetch(url, {
          ...init,
          resource,
          ...(binding === undefined ? {} : { binding }),
          signal: attempt,
        }),
      { policy: noRetryPolicy, timeout, clock, random: () => 0, signal },
    );
  };

  return {
    name,
    clock,
    crypto,
    async ask(schema, question) {
      const answer = await send(question).catch((cause) => {
        question.signal?.throwIfAborted();
        throw outOfReach(cause);
      });
      if (answer.status !== 200) throw refusal(answer, question, name);
      const value = parseJson(schema, answer.text);
      if (value !== undefined) return value;
      throw unavailable("Key Vault's answer isn't what it should be. Is 'vaultUrl' a vault?", {
        status: 200,
      });
    },
  };
}

function refusal(answer: Answer, { kind, permission }: VaultQuestion, name: string): KeyboundError {
  const { status, retryAfter } = answer;
  const code = parseJson(Failure, answer.text)?.error.code;
  const what = kind === "keys" ? `key '${name}'` : `secret '${name}'`;
  if (status === 404 && code === "KeyNotFound" && kind === "keys") {
    return new KeyboundError(
      "key_unusable",
      `Key Vault has no ${what} any more, or no such version of it. Name one that is there.`,
      { status, source: "KeyVault" },
    );
  }
  if (status === 404 && code === "SecretNotFound" && kind === "secrets") {
    return new KeyboundError(
      "not_found",
      `Key Vault has no ${what}. A certificate's secret has the certificate's name.`,
      { status, source: "KeyVault" },
    );
  }
  if (status === 401 || status === 403) {
    return unavailable(
      `Key Vault doesn't let this identity use the ${what} (HTTP ${status}). Give it the role ` +
        `'${permission}', let this host through the vault's firewall, and see that it is enabled.`,
      { status },
    );
  }
  if (status === 429 || status === 408 || status >= 500) {
    const why = status === 429 ? "is throttling" : "is in trouble";
    return unavailable(`Key Vault ${why} (HTTP ${status}). Try again later.`, {
      status,
      retryable: true,
      retryAfter,
    });
  }
  return unavailable(
    `Key Vault refuses the request for the ${what} (HTTP ${status}). Check its address, the name, ` +
      "the version, and that the key is RSA or EC and may sign.",
    { status },
  );
}

function outOfReach(cause: unknown): KeyboundError {
  const isOurs = cause instanceof KeyboundError;
  return unavailable(
    `Key Vault can't be asked: ${isOurs ? cause.message : "the request failed."}`,
    { cause, retryable: isOurs && cause.retryable },
  );
}

function unavailable(
  message: string,
  details: ConstructorParameters<typeof KeyboundError>[2],
): KeyboundError {
  return new KeyboundError("key_provider_unavailable", message, { ...details, source: "KeyVault" });
}

function invalid(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
