/**
 * Puts replies on the wire, whole or as a step wants them.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Reply } from "./exchange.ts";
import type { AmendStep, FloodStep, Json, JsonObject } from "./steps.ts";

const CHUNK = 65_536;

/** Sends a reply. `headers`: what every answer of the listener has. */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { stream } = reply;
  writeHead(response, reply, headers);
  if (stream !== undefined) return await stream(response);
  const body = bodyOf(reply);
  response.setHeader("content-length", body.length);
  await new Promise<void>((resolve) => response.end(body, () => resolve()));
}

/** Sends the head and the first bytes of the body; resolves when the system has them. */
export async function sendPart(
  response: ServerResponse,
  reply: Reply,
  headers: Readonly<Record<string, string>>,
  bytes: number,
): Promise<void> {
  const body = bodyOf(reply);
  writeHead(response, reply, headers);
  response.setHeader("content-length", Math.max(body.length, bytes + 1));
  response.flushHeaders();
  const part = body.subarray(0, bytes);
  await new Promise<void>((resolve) => {
    if (part.length === 0) setImmediate(resolve);
    else response.write(part, () => resolve());
  });
}

/** Sends a JSON body of the step's size, no faster than the client reads. */
export async function sendFlood(
  response: ServerResponse,
  step: FloodStep,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  writeHead(response, { status: step.status ?? 200, json: {} }, headers);
  await pipeline(Readable.from(flood(step.bytes)), response);
}

/** The reply with the step's changes. */
export function amend(reply: Reply, step: AmendStep): Reply {
  const removed = new Set(step.removeHeaders?.map((name) => name.toLowerCase()));
  const changesJson = step.merge !== undefined || step.omit !== undefined;
  return {
    ...reply,
    status: step.status ?? reply.status,
    headers: { ...reply.headers, ...step.headers },
    ...(changesJson ? { json: amendJson(reply.json ?? {}, step) } : {}),
    without: removed,
  };
}

function amendJson(json: Json, step: AmendStep): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return (step.omit ?? []).reduce<JsonObject>(
    (object, path) => omit(object, path.split(".")),
    { ...json as JsonObject, ...step.merge },
  );
}

function omit(object: JsonObject, [name, ...rest]: readonly string[]): JsonObject {
  if (name === undefined || !Object.hasOwn(object, name)) return object;
  const { [name]: member, ...others } = object;
  if (rest.length === 0) return others;
  if (typeof member !== "object" || member === null || Array.isArray(member)) return object;
  return { ...others, [name]: omit(member as JsonObject, rest) };
}

function writeHead(
  response: ServerResponse,
  reply: Reply,
  headers: Readonly<Record<string, string>>,
): void {
  response.statusCode = reply.status;
  if (reply.json !== undefined) {
    response.setHeader("content-type", "application/json; charset=utf-8");
  }
  for (const [name, value] of Object.entries({ ...headers, ...reply.headers })) {
    response.setHeader(name, value);
  }
  for (const name of reply.without ?? []) {
    response.removeHeader(name);
    if (name === "date") response.sendDate = false;
  }
}

function bodyOf(reply: Reply): Buffer {
  const text = reply.json === undefined ? reply.body ?? "" : JSON.stringify(reply.json);
  return Buffer.from(text, "utf8");
}

function* flood(bytes: number): Generator<Buffer> {
  const [start, end] = ['{"pad":"', '"}'];
  if (bytes < start.length + end.length) return yield Buffer.alloc(bytes, "0");
  yield Buffer.from(start);
  const chunk = Buffer.alloc(CHUNK, "a");
  for (let left = bytes - start.length - end.length; left > 0; left -= CHUNK) {
    yield left < CHUNK ? chunk.subarray(0, left) : chunk;
  }
  yield Buffer.from(end);
}
