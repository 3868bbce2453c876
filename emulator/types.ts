/**
 * What an emulator is to its user, in this process or in another.
 *
 * @module
 */

import type { Closing, ConnectionFault, Step } from "./steps.ts";
import type { SourceEnvironments } from "./source_environments.ts";
import type { Counts, EndpointName, MtlsListener, RequestRecord } from "./traffic.ts";

/** A managed identity that the emulated metadata service knows. */
export interface EmulatedIdentity {
  /** Assigned to the host itself (at most one), or by a user and chosen by a selector. */
  readonly kind: "system" | "user";
  /** Canonical client id (UUID). */
  readonly clientId: string;
  /** Tenant id (UUID). @default protocol.md section 1.10 */
  readonly tenantId?: string;
  /** Object id (UUID) of the service principal. */
  readonly objectId?: string;
  /** Azure resource id, user-assigned ones only. */
  readonly resourceId?: string;
}

/** An application (confidential client) that the emulated token endpoint knows. */
export interface EmulatedApplication {
  /** Client id (UUID). */
  readonly clientId: string;
  /** Tenant id (UUID). @default protocol.md section 1.10 */
  readonly tenantId?: string;
}

/** Identity of the virtual machine, as `cuId` carries it; at least one of them. */
export interface ComputeUnitId {
  /** Id of the machine. */
  readonly vmId?: string;
  /** Id of its scale set. */
  readonly vmssId?: string;
}

/** What the compute metadata of the virtual machine says. */
export interface ComputeMetadata {
  /** Region. */
  readonly location: string;
  /** `Windows` or `Linux`. */
  readonly osType: string;
  /** `TrustedLaunch`, `ConfidentialVM` or none. */
  readonly securityType: string;
}

/** What can be changed while the emulator runs. Times are in milliseconds. */
export interface EmulatorState {
  /** Added to the host's clock for everything the emulator dates or checks. @default 0 */
  readonly clockOffset: number;
  /** Only IMDS v1: the v2 paths answer 404. @default false */
  readonly v1Only: boolean;
  /** Whether `issuecredential` insists on an `attestation_token`. @default "optional" */
  readonly attestation: "optional" | "required";
  /** Whether a CSR over P-256 (ECDSA with SHA-256) is taken as well as RSA. @default false */
  readonly acceptEc: boolean;
  /** Life of an issued certificate, from now on. @default 604800000 (7 days) */
  readonly certificateLifetime: number;
  /** How long before now an issued certificate's life starts; negative: after. @default 0 */
  readonly certificateBackdate: number;
  /** Issue certificates over a key that isn't the CSR's. @default false */
  readonly wrongCertificateKey: boolean;
  /** What a request with a revoked certificate or key gets. @default "invalid_client" */
  readonly revocation: "invalid_client" | "reset";
  /** Life of an access token. @default 86399000 */
  readonly tokenLifetime: number;
  /** `refresh_in` of the token response; `null` leaves it out. @default 43199000 */
  readonly tokenRefreshIn: number | null;
  /** `token_type` of the token response in place of the one asked for. @default null */
  readonly tokenType: string | null;
  /** `aud` of issued tokens in place of the resource asked for. @default null */
  readonly tokenAudience: string | null;
  /** Whether `mtls_pop` tokens carry `cnf`. @default true */
  readonly tokenBound: boolean;
  /** Audiences that the resource server takes, trailing slash ignored.
   * @default ["https://vault.azure.net", "https://management.azure.com"] */
  readonly audiences: readonly string[];
  /** Whether the resource server takes a token without `cnf` as `Bearer`. @default true */
  readonly acceptBearer: boolean;
  /** Certificate that the mTLS listeners show. @default "valid" */
  readonly serverCertificate: "valid" | "expired" | "wrong_host" | "untrusted";
  /** Highest TLS version of the mTLS listeners. @default "TLSv1.3" */
  readonly maxTlsVersion: "TLSv1.2" | "TLSv1.3";
  /** Whether the token endpoint sees a client certificate sent over TLS 1.3. @default true */
  readonly certificateOverTls13: boolean;
  /** What `/metadata/instance/compute` says. */
  readonly compute: ComputeMetadata;
}

/** A listener of the emulator. `sources`: App Service and the like; `admin`: its admin endpoint. */
export type ListenerName =
  | "metadata"
  | "mtls"
  | "resource"
  | "attestation"
  | "sources"
  | "serviceFabric"
  | "admin";

/** Options of `startEmulator`, `spawnEmulator`; all plain data. */
export interface EmulatorOptions {
  /** Ports on 127.0.0.1, no two the same; 0 is any. @default any that are free */
  readonly ports?: Readonly<Partial<Record<ListenerName, number>>>;
  /** Identities of the host. @default one system-assigned, one user-assigned (`DEFAULT_IDENTITIES`) */
  readonly identities?: readonly EmulatedIdentity[];
  /** Applications of the tenant. @default `DEFAULT_APPLICATIONS` */
  readonly applications?: readonly EmulatedApplication[];
  /** The virtual machine. @default { vmId: "test-vm-id", vmssId: "test-vmss-id" } */
  readonly cuId?: ComputeUnitId;
  /**
   * Directory (absolute path) of the files of Arc's challenges, made if need be. Each is written
   * with mode 0600 and removed when it is used, withdrawn by `reset`, or by `close`.
   * @default a temporary directory that goes with the emulator
   */
  readonly arcChallengeDirectory?: string;
  /**
   * Directory that Arc's challenges name, for a client whose file access is redirected.
   * @default `arcChallengeDirectory`
   */
  readonly arcAnnouncedDirectory?: string;
  /** How many request records are kept. @default 1000 */
  readonly history?: number;
  /** State to start with. */
  readonly state?: Partial<EmulatorState>;
}

/** What to stop trusting. */
export interface Revocation {
  /** Every certificate issued so far, by `issuecredential` or `issue`. @default false */
  readonly issued?: boolean;
  /** Certificates by `x5t#S256`. */
  readonly thumbprints?: readonly string[];
  /** Keys by base64url SHA-256 of their SubjectPublicKeyInfo: certificates to come included. */
  readonly keys?: readonly string[];
}

/** What `issue` makes a certificate of. */
export interface IssueRequest {
  /** Public key, base64 of the DER SubjectPublicKeyInfo. */
  readonly spki: string;
  /** Common name: the client id. */
  readonly clientId: string;
  /** Domain component: the tenant id. @default protocol.md section 1.10 */
  readonly tenantId?: string;
  /** Life in ms. @default the state's `certificateLifetime` */
  readonly lifetime?: number;
}

/** A certificate made by `issue`. */
export interface IssuedCertificate {
  /** Base64 of the DER. */
  readonly certificate: string;
  /** PEM of the same. */
  readonly pem: string;
  /** `x5t#S256`. */
  readonly thumbprint: string;
}

/** Where an emulator listens and whom it trusts. */
export interface EmulatorAddresses {
  /** `http://127.0.0.1:<port>`: for `AZURE_POD_IDENTITY_AUTHORITY_HOST`. */
  readonly metadata: string;
  /** `https://127.0.0.1:<port>`: base of the token endpoint. */
  readonly mtls: string;
  /** `https://127.0.0.1:<port>`: base of the resource server. */
  readonly resource: string;
  /** `http://127.0.0.1:<port>`: the attestation service. */
  readonly attestation: string;
  /** Ready-made environments, secrets included, in which a client finds each source. */
  readonly sources: SourceEnvironments;
  /** PEM of Service Fabric's self-signed certificate. */
  readonly serviceFabricCertificate: string;
  /** PEM of the CA of all its certificates but Service Fabric's. */
  readonly ca: string;
}

/** How to reach an emulator that runs in another process. */
export interface AdminAccess {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Bearer secret of every admin request, new at each start. */
  readonly secret: string;
}

/**
 * A running emulator. The same whether it runs in this process or in another; everything that
 * acts is asynchronous. Methods reject with `invalid_argument` for input outside the vocabulary
 * and `closed` or `network_unreachable` when the emulator is gone.
 */
export interface Emulator extends EmulatorAddresses {
  /** Access to it from another process. */
  readonly admin: AdminAccess;
  /** Requests and connections so far. */
  counts(): Promise<Counts>;
  /** The latest requests, oldest first; of one endpoint if given. */
  requests(endpoint?: EndpointName): Promise<RequestRecord[]>;
  /** Appends steps to an endpoint's queue. */
  script(endpoint: EndpointName, ...steps: Step[]): Promise<void>;
  /** Appends faults to an mTLS listener's queue; each new TCP connection takes one. */
  fault(listener: MtlsListener, ...faults: ConnectionFault[]): Promise<void>;
  /** Drops what is left in the queues: of one endpoint, or of all and the listeners'. */
  unscript(endpoint?: EndpointName): Promise<void>;
  /** Changes state; what isn't named stays. */
  set(changes: Partial<EmulatorState>): Promise<void>;
  /** The state as it is. */
  state(): Promise<EmulatorState>;
  /** Stops trusting certificates or keys. */
  revoke(what: Revocation): Promise<void>;
  /** Issues a client certificate over any key, for a confidential client say. */
  issue(request: IssueRequest): Promise<IssuedCertificate>;
  /** Closes the open connections of an mTLS listener, or of both: idle ones included. */
  disconnect(listener?: MtlsListener, how?: Closing): Promise<void>;
  /** Milliseconds since the Unix epoch, by the emulator's clock. */
  now(): Promise<number>;
  /** Moves the emulator's clock by this many milliseconds. */
  advance(ms: number): Promise<void>;
  /** Back to the state after start: scripts, state, revocations, counts and records. CA and ports stay. */
  reset(): Promise<void>;
  /** Ends all connections and listeners, and the child process where there is one. Idempotent. */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}
