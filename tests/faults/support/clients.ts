/**
 * Who asks for tokens.
 *
 * @module
 */

import { DEFAULT_IDENTITIES, type EmulatedIdentity } from "../../../emulator/mod.ts";
import type { ManagedIdentityId } from "../../../mod.ts";
import type { TlsVersion } from "../../../src/transports.ts";

const [SYSTEM, USER] = DEFAULT_IDENTITIES as readonly [EmulatedIdentity, EmulatedIdentity];
const OTHER_USER: EmulatedIdentity = {
  kind: "user",
  clientId: "0ddba115-c0de-4d15-9a7e-000000000003",
  objectId: "0ddba115-c0de-4d15-9a7e-0000000000b3",
};

/** The identities of the host. */
export const IDENTITIES: readonly EmulatedIdentity[] = [SYSTEM, USER, OTHER_USER];

/** A managed identity as one process uses it. */
export interface ClientSpec {
  readonly id: ManagedIdentityId;
  /** Canonical client id: in certificates and tokens. */
  readonly clientId: string;
  readonly tlsVersion: TlsVersion;
}

/** The clients: three identities, and one of them again in another process. */
export const CLIENTS: readonly ClientSpec[] = [
  { id: {}, clientId: SYSTEM.clientId, tlsVersion: "TLSv1.2" },
  { id: { clientId: USER.clientId }, clientId: USER.clientId, tlsVersion: "TLSv1.3" },
  { id: { objectId: OTHER_USER.objectId! }, clientId: OTHER_USER.clientId, tlsVersion: "TLSv1.2" },
  { id: {}, clientId: SYSTEM.clientId, tlsVersion: "TLSv1.3" },
];
