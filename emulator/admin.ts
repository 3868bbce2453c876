/**
 * The admin endpoint: an emulator's methods over loopback HTTP.
 *
 * `POST /<method>` with the method's arguments as a JSON array answers `{"result": ...}`; `GET /`
 * answers the addresses. Every request needs `Authorization: Bearer <secret>`.
 *
 * @example
 * ```sh
 * curl -H "Authorization: Bearer $SECRET" -d '["token", {"kind": "drop"}]' $ADMIN/script
 * ```
 *
 * @module
 */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { isKeyboundError } from "../src/errors.ts";
import { type Method, METHODS } from "./control.ts";
import type { Call } from "./facade.ts";
import { sameText } from "./same_text.ts";
import type { EmulatorAddresses } from "./types.ts";

/** Largest request body in bytes. */
const BODY_LIMIT = 16 * 1024 * 1024;

/** The request listener of the admin endpoint. */
export function serveAdmin(
  secret: string,
  addresses: EmulatorAddresses,
  call: Call,
): RequestListener {
  return (request, response) => {
    answer(request).then(
      ([status, json]) => send(response, status, json),
      () => response.destroy(),
    );
  };

  async function answer(request: IncomingMessage): Promise<[number, unknown]> {
    if (!sameText(request.headers.authorization ?? "", `Bearer ${secret}`)) {
      request.resume();
      return [401, { error: "unauthorized", message: "The admin secret is missing or wrong." }];
    }
    const name = (request.url ?? "").slice(1);
    if (request.method === "GET" && name === "") return [200, { result: addresses }];
    if (request.method !== "POST" || !isMethod(name)) {
      request.resume();
      return [404, { error: "not_found", message: "No such method." }];
    }
    const args = await readArguments(request);
    if (args === undefined) {
      return [400, { error: "invalid_argument", message: "The body is not a JSON array." }];
    }
    try {
      return [200, { result: await call(name, args) ?? null }];
    } catch (error) {
      return isKeyboundError(error)
        ? [400, { error: error.code, message: error.message }]
        : [500, { error: "server_error", message: `${name} failed in the emulator.` }];
    }
  }
}

function isMethod(name: string): name is Method {
  return (METHODS as readonly string[]).includes(name);
}

async function readArguments(request: IncomingMessage): Promise<unknown[] | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Uint8Array).length;
    if (length <= BODY_LIMIT) chunks.push(chunk as Uint8Array);
  }
  if (length > BODY_LIMIT) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, json: unknown): void {
  const body = JSON.stringify(json);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}
