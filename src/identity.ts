/**
 * Which managed identity of a host is meant.
 *
 * @module
 */

import { KeyboundError } from "./errors.ts";

/** The name by which a host's own identity goes in caches and aliases (protocol.md section 3.1). */
export const SYSTEM_ASSIGNED = "system_assigned_managed_identity";

/** A user-assigned identity by exactly one of its ids; none of them is the host's own identity. */
export interface ManagedIdentityId {
  /** Client id (UUID) of a user-assigned identity. */
  clientId?: string;
  /** Azure resource id of a user-assigned identity: `/subscriptions/.../userAssignedIdentities/...`. */
  resourceId?: string;
  /** Object (principal) id (UUID) of a user-assigned identity. */
  objectId?: string;
}

/** A checked identity. */
export interface Identity {
  /** `system_assigned_managed_identity`, or the id as given. */
  readonly name: string;
  /** The IMDSv2 selector (protocol.md section 1.2), absent for the host's own identity. */
  readonly selector?: readonly [parameter: "client_id" | "mi_res_id" | "object_id", value: string];
}

/**
 * The identity meant by these ids. Throws `invalid_argument` for more than one id, or one that is
 * blank, longer than 2000 characters, or holds `|` or control characters.
 */
export function resolveIdentity(id: ManagedIdentityId): Identity {
  const given = ([
    ["client_id", id.clientId],
    ["mi_res_id", id.resourceId],
    ["object_id", id.objectId],
  ] as const).filter((pair) => pair[1] !== undefined);
  const [first, second] = given;
  if (first === undefined) return { name: SYSTEM_ASSIGNED };
  const [parameter, value] = first;
  if (second || typeof value !== "string" || !/^(?!\s*$)[^|\p{Cc}]{1,2000}$/u.test(value)) {
    throw new KeyboundError(
      "invalid_argument",
      "Give at most one of clientId, resourceId and objectId, as plain text without '|'.",
    );
  }
  return { name: value, selector: [parameter, value] };
}

/** The certificate alias of an identity (protocol.md section 3.1). */
export function certificateAlias(identity: Identity, attested: boolean): string {
  return `${identity.name}#att=${attested ? 1 : 0}`;
}
