/**
 * An emulator in another process, over its admin endpoint.
 *
 * @module
 */

import { Agent, request } from "node:http";
import * as v from "valibot";
import { KeyboundError } from "../src/errors.ts";
import { type Call, emulatorOf } from "./facade.ts";
import { addressesSchema, adminSchema, resultSchemas } from "./result_schemas.ts";
import { check } from "./schemas.ts";
import type { AdminAccess, Emulator } from "./types.ts";

/** Largest answer in bytes. */
const ANSWER_LIMIT = 64 * 1024 * 1024;
/** Milliseconds without a byte of an answer. */
const TIMEOUT = 30_000;

const answerSchema = v.object({ result: v.unknown() });
const failureSchema = v.object({ error: v.string(), message: v.string() });

/**
 * The emulator that listens there. Its `close` lets go of it and leaves it running: it belongs to
 * whoever started it.
 *
 * Rejects with `invalid_argument` for an address off this host, `access_denied` for a wrong secret,
 * `network_unreachable` where nothing listens.
 */
export async function connectEmulator(admin: AdminAccess): Promise<Emulator> {
  const access = check(adminSchema, admin, "admin");
  const addresses = check(addressesSchema, await ask(access, "GET", ""), "addresses");
  return emulatorOf({ addresses, admin: access, call: caller(access), close: async () => {} });
}

/** Calls methods over the admin endpoint. */
export function caller(admin: AdminAccess): Call {
  return async (method, args) => {
    const result = await ask(admin, "POST", method, JSON.stringify(args));
    return check(resultSchemas[method], result, method) ?? undefined;
  };
}

async function ask(
  admin: AdminAccess,
  method: string,
  path: string,
  body?: string,
): Promise<unknown> {
  const { status, text } = await send(admin, method, path, body);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new KeyboundError("network_unreachable", `${admin.url} is no emulator.`, { cause });
  }
  if (status === 200) return check(answerSchema, json, "answer").result;
  const failure = v.safeParse(failureSchema, json);
  const message = failure.success ? failure.output.message : `The emulator answered ${status}.`;
  if (status === 401) throw new KeyboundError("access_denied", message);
  throw new KeyboundError(status === 400 ? "invalid_argument" : "server_error", message);
}

/** With `NODE_USE_ENV_PROXY`, Deno takes the process's proxies for agents that aren't given others. */
const NO_PROXIES = { proxyEnv: {} } as const;

/** By `node:http` and an agent of its own, which no proxy of the environment comes between. */
function send(
  admin: AdminAccess,
  method: string,
  path: string,
  body: string | undefined,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        new KeyboundError("network_unreachable", `No emulator answers at ${admin.url}.`, { cause }),
      );
    const outgoing = request(`${admin.url}/${path}`, {
      method,
      agent: new Agent({ keepAlive: false, ...NO_PROXIES }),
      timeout: TIMEOUT,
      headers: {
        authorization: `Bearer ${admin.secret}`,
        ...(body === undefined ? {} : {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      },
    }, (response) => {
      const chunks: Uint8Array[] = [];
      let length = 0;
      response.on("data", (chunk: Uint8Array) => {
        length += chunk.length;
        if (length > ANSWER_LIMIT) outgoing.destroy(new Error("The answer is too large."));
        else chunks.push(chunk);
      });
      response.on("error", fail);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("The emulator is silent.")));
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}
