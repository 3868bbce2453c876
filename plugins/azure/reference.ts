/**
 * What stands in for a bound token inside the Azure SDK.
 *
 * The SDK's policies put every token they get behind `Bearer` and hand it to whatever HTTP client
 * there is. So a bound token never enters them: they get a text that says which token is meant, and
 * only our HTTP client can make a request of it. With any other client, the server is sent a text
 * that opens nothing.
 *
 * @module
 */

import { base64url, fromBase64url, fromUtf8, utf8 } from "../../src/encoding.ts";
import type { BindingWish } from "../../src/token/result.ts";

/** Which token a request is to carry. */
export interface TokenReference {
  /** The resource it is for. */
  readonly resource: string;
  /** What it is bound to. */
  readonly binding: Exclude<BindingWish, "bearer">;
  /** Its tenant, where that isn't the identity's own. */
  readonly tenantId?: string;
  /** Whether the client can answer claims challenges (continuous access evaluation). */
  readonly cae?: boolean;
}

/** Begins every reference; says in a server's log what went wrong. */
const PREFIX = "keybound-reference-not-a-token.";

/** The client capability of continuous access evaluation, as claims (protocol.md section 1.7). */
export const CAE_CLAIMS = '{"access_token":{"xms_cc":{"values":["cp1"]}}}';

/** The text for a reference: letters that a header can carry. */
export function writeReference(reference: TokenReference): string {
  return PREFIX + base64url(utf8(JSON.stringify(reference)));
}

/** The reference in the value of an `Authorization` header; `undefined` where there is none. */
export function readReference(authorization: string): TokenReference | undefined {
  const [scheme, text = "", ...rest] = authorization.split(" ");
  if (scheme?.toLowerCase() !== "bearer" || rest.length > 0 || !text.startsWith(PREFIX)) {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(fromUtf8(fromBase64url(text.slice(PREFIX.length))));
    return isReference(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isReference(value: unknown): value is TokenReference {
  if (typeof value !== "object" || value === null) return false;
  const { resource, binding, tenantId, cae } = value as Partial<Record<string, unknown>>;
  return typeof resource === "string" && (binding === "mtls_pop" || binding === "preferred") &&
    (tenantId === undefined || typeof tenantId === "string") &&
    (cae === undefined || typeof cae === "boolean");
}
