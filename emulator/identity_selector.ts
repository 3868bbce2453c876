/**
 * Which identity a request for a managed identity means (protocol.md sections 1.2 and 7.3).
 *
 * @module
 */

import type { Principal } from "./state.ts";

/** The identity, or what is wrong with the selector. */
export type Choice = { readonly chosen: Principal } | { readonly refusal: string };

/** A parameter that names a user-assigned identity. */
export type Selector =
  | "client_id"
  | "clientid"
  | "object_id"
  | "principalId"
  | "mi_res_id"
  | "msi_res_id";

/** Selectors of any source and what of an identity each one names. */
const SELECTORS: Readonly<Record<Selector, (identity: Principal) => string | undefined>> = {
  client_id: (identity) => identity.clientId,
  clientid: (identity) => identity.clientId,
  object_id: (identity) => identity.objectId,
  principalId: (identity) => identity.objectId,
  mi_res_id: (identity) => identity.resourceId,
  msi_res_id: (identity) => identity.resourceId,
};

/** What the metadata service takes: both spellings of the resource id. */
export const IMDS_SELECTORS: readonly Selector[] = [
  "client_id",
  "object_id",
  "mi_res_id",
  "msi_res_id",
];

/**
 * The identity that the parameters select: the host's own without a selector. A selector that other
 * sources know and this one doesn't is refused, since ignoring it would give the wrong identity.
 */
export function chooseIdentity(
  identities: readonly Principal[],
  parameters: URLSearchParams,
  accepted: readonly Selector[],
): Choice {
  const given = [...parameters].flatMap(([name, value]) =>
    isSelector(name) ? [{ name, value }] : []
  );
  const [selector, ...others] = given;
  if (selector === undefined) {
    return found(identities.find((identity) => identity.kind === "system"));
  }
  if (others.length > 0) return { refusal: "More than one identity was specified" };
  const { name, value } = selector;
  if (!accepted.includes(name)) return { refusal: `The parameter '${name}' is not supported here` };
  return found(
    identities.find((identity) => SELECTORS[name](identity)?.toLowerCase() === value.toLowerCase()),
  );
}

function found(chosen: Principal | undefined): Choice {
  return chosen === undefined ? { refusal: "Identity not found" } : { chosen };
}

function isSelector(name: string): name is Selector {
  return Object.hasOwn(SELECTORS, name);
}
