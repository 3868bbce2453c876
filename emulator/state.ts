/**
 * What the emulator knows and how it starts out.
 *
 * @module
 */

import type {
  ComputeUnitId,
  EmulatedApplication,
  EmulatedIdentity,
  EmulatorOptions,
  EmulatorState,
} from "./types.ts";

/** Tenant id of everything that names none (protocol.md section 1.10). */
export const DEFAULT_TENANT_ID = "751a212b-4003-416e-b600-e1f48e40db9f";

/** The identities of the host unless options say otherwise (protocol.md section 1.10). */
export const DEFAULT_IDENTITIES: readonly EmulatedIdentity[] = [
  {
    kind: "system",
    clientId: "5a5a5a5a-c0de-4d15-9a7e-000000000001",
    objectId: "5a5a5a5a-c0de-4d15-9a7e-0000000000b1",
  },
  {
    kind: "user",
    clientId: "d3adb33f-c0de-ed0c-c0de-deadb33fc0d3",
    objectId: "593b2662-5af7-4a90-a9cb-5a9de615b82f",
    resourceId:
      "/subscriptions/ffa4aaa2-4444-4444-5555-e3ccedd3d046/resourcegroups/UAMI_group/providers/Microsoft.ManagedIdentityClient/userAssignedIdentities/UAMI",
  },
];

/** The applications of the tenant unless options say otherwise. */
export const DEFAULT_APPLICATIONS: readonly EmulatedApplication[] = [
  { clientId: "f62c5ae3-bf3a-4af5-afa8-a68b800396e9" },
];

/** The state at start unless options say otherwise. */
export const DEFAULT_STATE: EmulatorState = {
  clockOffset: 0,
  v1Only: false,
  attestation: "optional",
  acceptEc: false,
  certificateLifetime: 7 * 24 * 3600_000,
  certificateBackdate: 0,
  wrongCertificateKey: false,
  revocation: "invalid_client",
  tokenLifetime: 86_399_000,
  tokenRefreshIn: 43_199_000,
  tokenType: null,
  tokenAudience: null,
  tokenBound: true,
  audiences: ["https://vault.azure.net", "https://management.azure.com"],
  acceptBearer: true,
  serverCertificate: "valid",
  maxTlsVersion: "TLSv1.3",
  certificateOverTls13: true,
  compute: { location: "westeurope", osType: "Windows", securityType: "TrustedLaunch" },
};

/** An identity or application with everything filled in. */
export interface Principal {
  readonly kind: "system" | "user" | "application";
  readonly clientId: string;
  readonly tenantId: string;
  readonly objectId: string;
  readonly resourceId: string | undefined;
}

/** The fixed surroundings of an emulator. */
export interface Surroundings {
  readonly identities: readonly Principal[];
  readonly applications: readonly Principal[];
  readonly cuId: ComputeUnitId;
  /** Tenant of whatever names none. */
  readonly defaultTenantId: string;
}

/** The surroundings that options describe. */
export function surroundings(options: EmulatorOptions): Surroundings {
  const complete = (
    entry: Partial<EmulatedIdentity> & { clientId: string },
    kind: Principal["kind"],
  ): Principal => ({
    kind,
    clientId: entry.clientId.toLowerCase(),
    tenantId: (entry.tenantId ?? DEFAULT_TENANT_ID).toLowerCase(),
    objectId: (entry.objectId ?? entry.clientId).toLowerCase(),
    resourceId: entry.resourceId,
  });
  return {
    identities: (options.identities ?? DEFAULT_IDENTITIES).map((entry) =>
      complete(entry, entry.kind)
    ),
    applications: (options.applications ?? DEFAULT_APPLICATIONS).map((entry) =>
      complete(entry, "application")
    ),
    cuId: options.cuId ?? { vmId: "test-vm-id", vmssId: "test-vmss-id" },
    defaultTenantId: DEFAULT_TENANT_ID,
  };
}

/** The state with these changes; a change to `undefined` is none. */
export function withChanges(state: EmulatorState, changes: Partial<EmulatorState>): EmulatorState {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...state, ...Object.fromEntries(given) };
}
