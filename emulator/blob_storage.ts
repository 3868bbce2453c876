/**
 * Blobs on the resource server, as Azure Storage keeps them: one request puts a blob, one gets it.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Core } from "./core.ts";
import { type Handler, methodNotAllowed, type Reply } from "./exchange.ts";
import { authorize } from "./resource_server.ts";

/** Largest blob and most blobs kept, and what a path of one looks like. */
const SIZE_LIMIT = 16 * 1024 * 1024;
const COUNT_LIMIT = 16;
const BLOB = /^\/[^/]+\/.+$/;

/** Whether a request is for a blob: all of Azure Storage's name a version in a header. */
export function isBlobRequest(path: string, { headers }: IncomingMessage): boolean {
  return headers["x-ms-version"] !== undefined && BLOB.test(path);
}

/** Handler of every blob. */
export function blobStorage(core: Core): Handler {
  return async (exchange) => {
    const access = await authorize(core, exchange);
    if ("reason" in access) return refusal(core, access.reason);
    const { method, path, request } = exchange;
    if (method === "PUT") {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of request) {
        size += (chunk as Uint8Array).length;
        if (size <= SIZE_LIMIT) chunks.push(chunk as Uint8Array);
      }
      if (size > SIZE_LIMIT || (core.blobs.size >= COUNT_LIMIT && !core.blobs.has(path))) {
        return failure(413, "RequestBodyTooLarge");
      }
      core.blobs.set(path, Buffer.concat(chunks));
      return { status: 201, headers: stamps(core) };
    }
    request.resume();
    if (method !== "GET" && method !== "HEAD") return methodNotAllowed("GET, HEAD, PUT");
    const blob = core.blobs.get(path);
    if (blob === undefined) return failure(404, "BlobNotFound");
    const headers = {
      ...stamps(core),
      "content-type": "application/octet-stream",
      "content-length": `${blob.length}`,
      "x-ms-blob-type": "BlockBlob",
    };
    return {
      status: 200,
      headers,
      stream: (response) =>
        new Promise((resolve) => response.end(method === "GET" ? blob : "", resolve)),
    };
  };
}

function stamps(core: Core): Record<string, string> {
  return { etag: '"0x1"', "last-modified": new Date(core.now()).toUTCString() };
}

function refusal({ surroundings: { defaultTenantId } }: Core, reason: string): Reply {
  const authority = `https://login.microsoftonline.com/${defaultTenantId}/oauth2/authorize`;
  const challenge = `Bearer authorization_uri=${authority} resource_id=https://storage.azure.com`;
  return {
    ...failure(401, "InvalidAuthenticationInfo", reason),
    headers: { "www-authenticate": challenge },
  };
}

function failure(status: number, code: string, message: string = code): Reply {
  return {
    status,
    headers: { "x-ms-error-code": code, "content-type": "application/xml" },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  };
}
