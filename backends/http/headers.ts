/**
 * Headers between the Fetch API and `node:http`, both ways.
 *
 * @module
 */

/**
 * Headers that belong to the connection, not to the caller: what `fetch` calls forbidden. `host`
 * is one because the agent would take the server's name from it, and check the certificate against
 * that name.
 */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Request headers, and the length of the body where it is known. */
export function requestHeaders(
  headers: Headers,
  length: number | undefined,
): Record<string, string> {
  const sent: Record<string, string> = {};
  headers.forEach((value, name) => {
    if (!OF_THE_CONNECTION.has(name)) sent[name] = value;
  });
  if (length !== undefined) sent["content-length"] = String(length);
  return sent;
}

/** Response headers from names and values in turn; repeated ones stay apart or are joined. */
export function responseHeaders(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i]!, raw[i + 1]!);
  return headers;
}
