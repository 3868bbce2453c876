/**
 * Serves the endpoints of one listener: counts, records, takes the scripted step, answers.
 *
 * @module
 */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type Connection, type Connections, endConnection } from "./connections.ts";
import { type Exchange, type Handler, mediaType, oauthError, type Reply } from "./exchange.ts";
import type { Queue } from "./queue.ts";
import {
  authorizationScheme,
  type OpenRecord,
  plainFields,
  plainHeaders,
  plainQuery,
  type Recorder,
} from "./recorder.ts";
import { amend, sendFlood, sendPart, sendReply } from "./reply_writer.ts";
import type { Step } from "./steps.ts";
import type { EndpointName } from "./traffic.ts";

/** Largest request body of an endpoint that doesn't stream, in bytes. */
const BODY_LIMIT = 256 * 1024;

/** Who answers a request. */
export interface Route {
  readonly endpoint: EndpointName;
  readonly handler: Handler;
  /** Whether the handler reads the request's body itself. @default false */
  readonly streams?: boolean;
}

/** What the servers of one emulator have in common. */
export interface Service {
  readonly recorder: Recorder;
  readonly scripts: Readonly<Record<EndpointName, Queue<Step>>>;
  /** Milliseconds since the Unix epoch, by the emulator's clock. */
  readonly now: () => number;
}

/** What is particular to one listener. */
export interface ListenerService {
  /** The route of a request. */
  readonly route: (path: string, request: IncomingMessage) => Route;
  /** Headers of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a certificate presented on this connection is seen. @default yes */
  readonly seesCertificate?: (connection: Connection) => boolean;
  /** Whether a connection with the certificate it presented may go on. @default yes */
  readonly welcomes?: (connection: Connection) => boolean;
}

/** The request listener of a server with these connections. */
export function serveEndpoints(
  service: Service,
  listener: ListenerService,
  connections: Connections,
): RequestListener {
  return (request, response) => {
    const connection = connections.of(request.socket);
    if (connection === undefined) return void request.destroy();
    if (connection.refused) return;
    if (listener.welcomes?.(connection) === false) return endConnection(connection, "reset");
    serve(service, listener, connection, request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) return void response.destroy();
      const text = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
      void sendReply(response, oauthError(500, "server_error", text), {}).catch(() => {});
    });
  };
}

async function serve(
  service: Service,
  listener: ListenerService,
  connection: Connection,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.canParse(request.url ?? "", "http://host")
    ? new URL(request.url ?? "", "http://host")
    : new URL("http://host/");
  const route = listener.route(url.pathname, request);
  const step = service.scripts[route.endpoint].take();
  const sees = listener.seesCertificate?.(connection) ?? true;
  const record = service.recorder.open({
    time: service.now(),
    endpoint: route.endpoint,
    method: request.method ?? "",
    path: url.pathname,
    query: plainQuery(url.searchParams),
    headers: plainHeaders(request.headers),
    authorizationScheme: authorizationScheme(request.headers),
    fields: {},
    correlationId: (request.headers["x-ms-client-request-id"] ??
      request.headers["client-request-id"])?.toString().slice(0, 128) ?? null,
    thumbprint: connection.peer?.thumbprint ?? null,
    tlsVersion: connection.tlsVersion,
    connection: connection.number,
    reusedConnection: connection.requests > 0,
    step: step?.kind ?? null,
    status: null,
  });
  connection.requests += 1;
  const body = route.streams === true ? new Uint8Array() : await readBody(request);
  const headers = listener.headers ?? {};
  if (body === undefined) {
    const tooLarge = oauthError(413, "invalid_request", "The request body is too large.");
    record.status = tooLarge.status;
    return await sendReply(response, tooLarge, headers);
  }
  record.fields = plainFields(mediaType(request.headers), body);
  const exchange: Exchange = {
    method: request.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    peer: sees ? connection.peer : undefined,
    request,
  };
  if (step?.delay !== undefined && !await waited(step.delay, response)) return;
  const answer = async () => await route.handler(exchange);
  await act(step ?? { kind: "pass" }, answer, { request, response, connection, headers, record });
}

interface Wire {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly headers: Readonly<Record<string, string>>;
  readonly record: OpenRecord;
}

async function act(step: Step, answer: () => Promise<Reply>, wire: Wire): Promise<void> {
  const { request, response, connection, headers, record } = wire;
  const send = async (reply: Reply) => {
    record.status = reply.status;
    await sendReply(response, reply, headers);
  };
  switch (step.kind) {
    case "pass":
      return await send(await answer());
    case "respond": {
      const { status = 200, headers: own = {}, json, body } = step;
      return await send({
        status,
        headers: own,
        ...(json === undefined ? {} : { json }),
        ...(body === undefined ? {} : { body }),
      });
    }
    case "amend":
      return await send(amend(await answer(), step));
    case "hang":
      request.resume();
      return;
    case "drop":
      await drained(request);
      return endConnection(connection, step.how ?? "reset");
    case "truncate": {
      const reply = await answer();
      record.status = reply.status;
      await sendPart(response, reply, headers, step.after ?? 10);
      return endConnection(connection, step.how ?? "fin");
    }
    case "flood":
      record.status = step.status ?? 200;
      return await sendFlood(response, step, headers);
  }
}

/** The body, or `undefined` where it is too large. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Uint8Array).length;
    if (length <= BODY_LIMIT) chunks.push(chunk as Uint8Array);
  }
  return length <= BODY_LIMIT ? Buffer.concat(chunks) : undefined;
}

async function drained(request: IncomingMessage): Promise<void> {
  for await (const _ of request) { /* to the end */ }
}

/** Waits; `false` when the client is gone before that. */
function waited(ms: number, response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      response.off("close", gone);
      resolve(true);
    }, ms);
    response.once("close", gone);
  });
}
