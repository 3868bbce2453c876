/**
 * Which identity a metadata request means (protocol.md section 1.2).
 *
 * @module
 */

import type { Principal } from "./state.ts";

/** The identity, or what is wrong with the selector. */
export type Choice = { readonly chosen: Principal } | { readonly refusal: string };

/** Selectors and what of an identity each one names. Both spellings of the resource id are taken. */
const SELECTORS: Readonly<Record<string, (identity: Principal) => string | undefined>> = {
  client_id: (identity) => identity.clientId,
  object_id: (identity) => identity.objectId,
  mi_res_id: (identity) => identity.resourceId,
  msi_res_id: (identity) => identity.resourceId,
};

/** The identity that the query selects: the host's own without a selector. */
export function chooseIdentity(
  identities: readonly Principal[],
  query: URLSearchParams,
): Choice {
  const given = [...query].filter(([name]) => Object.hasOwn(SELECTORS, name));
  const [selector, ...others] = given;
  if (others.length > 0) return { refusal: "More than one identity was specified" };
  const chosen = selector === undefined
    ? identities.find((identity) => identity.kind === "system")
    : identities.find((identity) =>
      SELECTORS[selector[0]]!(identity)?.toLowerCase() === selector[1].toLowerCase()
    );
  return chosen === undefined ? { refusal: "Identity not found" } : { chosen };
}
