/**
 * The HTTP client of Azure SDK clients with bound tokens.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { BindingWish } from "../../src/token/result.ts";
import { nodeStream, type OnProgress, type SentBody, sentBody, watched } from "./body.ts";
import { BoundRequestError } from "./errors.ts";
import { ResponseHeaders } from "./headers.ts";
import type { AzureIdentity } from "./identity.ts";
import { CAE_CLAIMS, readReference, type TokenReference } from "./reference.ts";
import { abortError, type AbortSignalLike, type LinkedSignal, linkedSignal } from "./signal.ts";

/** A request's headers in either of the SDK's two forms. */
export type RequestHeaders =
  | { toJSON(options?: { preserveCase?: boolean }): Record<string, string> }
  | { toJson(options?: { preserveCase?: boolean }): Record<string, string> };

/** As much of a pipeline's request as is looked at: `PipelineRequest`, or `WebResourceLike`. */
export interface AzureRequest {
  /** URL. */
  readonly url: string;
  /** HTTP method. */
  readonly method: string;
  /** Headers. */
  readonly headers: RequestHeaders;
  /** Body, if any. */
  readonly body?: unknown;
  /** Milliseconds until the answer must have begun; 0 for no limit. */
  readonly timeout: number;
  /** Ends the request and the reading of its answer. */
  readonly abortSignal?: AbortSignalLike;
  /** Told of what was sent. */
  readonly onUploadProgress?: OnProgress;
  /** Told of what was received. */
  readonly onDownloadProgress?: OnProgress;
  /** Statuses whose body is to be a stream; infinity stands for all. */
  readonly streamResponseStatusCodes?: Set<number>;
  /** Whether streams are to be the web's. */
  readonly enableBrowserStreams?: boolean;
  /** Not to be had here. */
  readonly agent?: unknown;
  /** Not to be had here. */
  readonly proxySettings?: unknown;
  /** Not to be had here. */
  readonly tlsSettings?: unknown;
}

/** A pipeline's response: `PipelineResponse`, or `CompatResponse`. */
export interface AzureResponse<Sent> {
  /** The request. */
  request: Sent;
  /** HTTP status. */
  status: number;
  /** Headers. */
  headers: ResponseHeaders;
  /** The body, unless a stream was asked for. */
  bodyAsText?: string | null;
  /** The body as a stream of Node's. */
  readableStreamBody?: NodeJS.ReadableStream;
  /** The body as the web's stream. */
  browserStreamBody?: ReadableStream<Uint8Array>;
  /** The body where there are no streams of Node's. */
  blobBody?: Promise<Blob>;
}

/** What `httpClient` of an SDK client's options takes. */
export interface AzureHttpClient {
  /** Sends a request. */
  sendRequest<Sent extends AzureRequest>(request: Sent): Promise<AzureResponse<Sent>>;
}

/** Options of {@linkcode httpClient}. */
export interface HttpClientOptions {
  /**
   * Plain fetch for requests without a token, such as the one that asks for a challenge; they carry
   * no certificate. @default globalThis.fetch
   */
  fetch?: typeof globalThis.fetch;
}

/** Headers that belong to the connection, or would make the answer something that is unpacked here. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set(["accept-encoding", "authorization", "host"]);

/** Resources of Azure Key Vault, which wants to be told that a token is bound. */
const KEY_VAULT = /^https:\/\/(?:vault|managedhsm)(?:\.azure\.(?:net|cn)|\.usgovcloudapi\.net)\/?$/;

/**
 * The HTTP client that sends what {@linkcode tokenCredential} stands for: the bound token with its
 * certificate, as one pair, by the identity's own `fetch`, with its healing, its pool of connections,
 * and its answer to claims challenges. A request without token goes out by plain fetch; one with a
 * token from elsewhere isn't sent.
 *
 * `sendRequest` rejects with {@linkcode BoundRequestError}, whose `cause` is the identity's error, or
 * with an `AbortError`, after the request's `timeout` too. An agent, a proxy or TLS settings of the
 * SDK's are refused: the connection is the identity's.
 *
 * @example
 * ```ts
 * const client = new BlobServiceClient(url, tokenCredential(identity), {
 *   httpClient: httpClient(identity),
 * });
 * ```
 */
export function httpClient<Wish extends BindingWish = "mtls_pop">(
  identity: AzureIdentity<Wish>,
  options: HttpClientOptions = {},
): AzureHttpClient {
  const { fetch = (input, init) => globalThis.fetch(input, init) } = options;

  const send = async (
    { url, method }: AzureRequest,
    headers: Headers,
    reference: TokenReference | undefined,
    { init: body }: SentBody,
    signal: AbortSignal,
  ) => {
    const init: RequestInit = { ...body, method, headers, signal, redirect: "manual" };
    if (reference === undefined) {
      return await fetch(url, init).catch((error) => {
        throw unreachable(error);
      });
    }
    const { resource, binding, tenantId, cae } = reference;
    if (KEY_VAULT.test(resource) && binding === "mtls_pop") {
      headers.set("x-ms-tokenboundauth", "true");
    }
    return await identity.fetch(url, {
      ...init,
      resource,
      // A reference says what its identity was asked for, so the identity knows it.
      binding: binding as Wish,
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(cae && binding === "mtls_pop" ? { clientClaims: CAE_CLAIMS } : {}),
    });
  };

  return {
    async sendRequest(request) {
      const [headers, reference] = headersOf(request);
      assertOurs(request);
      const linked = linkedSignal(request.abortSignal, request.timeout);
      try {
        linked.signal.throwIfAborted();
        const body = sentBody(request.body, request.onUploadProgress);
        if (body === undefined) throw refused("The body is of no known type.", request);
        if (!body.isStream) headers.delete("content-length");
        const response = await send(request, headers, reference, body, linked.signal);
        linked.stopClock();
        body.sent();
        return await received(request, response, linked);
      } catch (error) {
        linked.release();
        throw failureOf(error, request, linked.signal);
      }
    },
  };
}

/** What goes out of the request's headers, and the token that is meant. */
function headersOf(
  request: AzureRequest,
): [headers: Headers, reference: TokenReference | undefined] {
  const { headers: given } = request;
  const all = Object.entries("toJSON" in given ? given.toJSON() : given.toJson());
  const headers = new Headers();
  let reference: TokenReference | undefined;
  for (const [name, value] of all) {
    if (name.toLowerCase() === "authorization") {
      reference = readReference(value);
      if (reference !== undefined) continue;
      throw refused(
        "The request carries a token that isn't sent this way. Give the client " +
          "'tokenCredential(identity)' of keybound/azure, without 'binding: \"bearer\"'.",
        request,
      );
    }
    if (!NOT_PASSED_ON.has(name.toLowerCase())) headers.set(name, value);
  }
  return [headers, reference];
}

function assertOurs(request: AzureRequest): void {
  if (!/^https:\/\//i.test(request.url)) {
    throw refused("Requests go to https URLs only.", request);
  }
  const { agent, proxySettings, tlsSettings } = request;
  if (agent ?? proxySettings ?? tlsSettings) {
    throw refused(
      "An agent, a proxy or TLS settings of the SDK's can't be used with a bound token: the " +
        "connection is the identity's. Leave them out; NO_PROXY takes a host out of HTTPS_PROXY.",
      request,
    );
  }
}

async function received<Sent extends AzureRequest>(
  request: Sent,
  response: Response,
  linked: LinkedSignal,
): Promise<AzureResponse<Sent>> {
  const { status } = response;
  const head = { request, status, headers: new ResponseHeaders(response.headers) };
  if (request.method === "HEAD" || response.body === null) {
    response.body?.cancel().catch(() => {});
    linked.release();
    return request.method === "HEAD" ? head : { ...head, bodyAsText: "" };
  }
  const { onDownloadProgress: onProgress, streamResponseStatusCodes: streamed } = request;
  const body = watched(response.body, {
    onProgress,
    onEnd: linked.release,
    errorOf: (error) => failureOf(error, request, linked.signal),
  });
  if (!streamed?.has(Infinity) && !streamed?.has(status)) {
    return { ...head, bodyAsText: await new Response(body).text() };
  }
  if (request.enableBrowserStreams) return { ...head, browserStreamBody: body };
  const readableStreamBody = await nodeStream(body);
  return readableStreamBody === undefined
    ? { ...head, blobBody: new Response(body).blob() }
    : { ...head, readableStreamBody };
}

function refused(message: string, request: AzureRequest): BoundRequestError {
  return new BoundRequestError(message, request);
}

function failureOf(error: unknown, request: AzureRequest, { aborted, reason }: AbortSignal): Error {
  if (error instanceof BoundRequestError) return error;
  if (aborted) return abortError(reason);
  const message = error instanceof Error ? error.message : "The request failed.";
  return new BoundRequestError(message, request, error);
}

/** Without its cause: the runtime's error may quote the URL, which may hold a secret. */
function unreachable(error: unknown): KeyboundError {
  const { code } = (error as { cause?: { code?: unknown } } | undefined)?.cause ?? {};
  const known = typeof code === "string" && /^[A-Z_]{1,64}$/.test(code) ? ` (${code})` : "";
  return new KeyboundError(
    "network_unreachable",
    `The server can't be reached or isn't trusted by this runtime${known}.`,
    { retryable: true, source: "Resource" },
  );
}
