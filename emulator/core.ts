/**
 * What all endpoints of one emulator share.
 *
 * @module
 */

import { createPublicKey, X509Certificate } from "node:crypto";
import { KeyboundError } from "../src/errors.ts";
import { Attestor } from "./attestor.ts";
import { Authority, type ServerIdentity } from "./authority.ts";
import { KeyVault } from "./key_vault_objects.ts";
import { describePeer, type Peer } from "./peer.ts";
import { loadPeers, type Peers } from "./peers.ts";
import { createSourceHost, type SourceHost } from "./source_host.ts";
import { DEFAULT_STATE, type Surroundings, surroundings, withChanges } from "./state.ts";
import { TokenIssuer } from "./token_issuer.ts";
import { UsedAssertions } from "./used_assertions.ts";
import type {
  EmulatorAddresses,
  EmulatorOptions,
  EmulatorState,
  IssuedCertificate,
  IssueRequest,
  Revocation,
} from "./types.ts";

/** Certificates and keys that a set of revocations may name. */
const REVOCATION_LIMIT = 100_000;

/** The state, the keys and the clock of one emulator. */
export class Core {
  readonly peers: Peers;
  readonly surroundings: Surroundings;
  readonly authority: Authority;
  readonly attestor: Attestor;
  readonly tokens: TokenIssuer;
  readonly sourceHost: SourceHost;
  readonly assertions: UsedAssertions = new UsedAssertions();
  readonly vault: KeyVault = new KeyVault();
  /** Blobs by path. */
  readonly blobs: Map<string, Uint8Array> = new Map();
  /** Where the endpoints are that others name; set once they listen. */
  addresses: Pick<EmulatorAddresses, "mtls" | "attestation">;
  /** What can be scripted by `set`. */
  state: EmulatorState;
  readonly #initialState: EmulatorState;
  readonly #hostTime: () => number;
  #revokedUpTo = 0;
  readonly #revoked = new Set<string>();
  readonly #serverIdentities = new Map<string, Promise<ServerIdentity>>();

  private constructor(
    parts: Pick<
      Core,
      "peers" | "surroundings" | "authority" | "attestor" | "tokens" | "sourceHost"
    >,
    state: EmulatorState,
    hostTime: () => number,
  ) {
    this.peers = parts.peers;
    this.surroundings = parts.surroundings;
    this.authority = parts.authority;
    this.attestor = parts.attestor;
    this.tokens = parts.tokens;
    this.sourceHost = parts.sourceHost;
    this.state = state;
    this.#initialState = state;
    this.#hostTime = hostTime;
    this.addresses = { mtls: "", attestation: "" };
  }

  /** A core with new keys. `hostTime`: milliseconds since the Unix epoch. */
  static async create(options: EmulatorOptions, hostTime: () => number): Promise<Core> {
    const peers = await loadPeers();
    const tokens = new TokenIssuer(peers.jose);
    const [authority, attestor, sourceHost] = await Promise.all([
      Authority.create(peers.x509, hostTime()),
      Attestor.create(peers.jose),
      createSourceHost(peers.x509, hostTime(), {
        directory: options.arcChallengeDirectory,
        announced: options.arcAnnouncedDirectory,
      }),
    ]);
    const parts = { peers, authority, attestor, tokens, sourceHost };
    const around = surroundings(options);
    return new Core(
      { ...parts, surroundings: around },
      withChanges(DEFAULT_STATE, options.state ?? {}),
      hostTime,
    );
  }

  /** Milliseconds since the Unix epoch, as the emulator sees it. */
  now(): number {
    return this.#hostTime() + this.state.clockOffset;
  }

  /** Stops trusting certificates or keys. */
  revoke(what: Revocation): void {
    if (what.issued === true) this.#revokedUpTo = this.authority.issued;
    const named = [...what.thumbprints ?? [], ...what.keys ?? []];
    if (this.#revoked.size + named.length > REVOCATION_LIMIT) {
      throw new KeyboundError("invalid_argument", "Too many revocations; reset the emulator.");
    }
    for (const digest of named) this.#revoked.add(digest);
  }

  /** Whether this certificate or its key was revoked. */
  isRevoked(peer: Peer): boolean {
    if (this.#revoked.has(peer.thumbprint) || this.#revoked.has(peer.keyThumbprint)) return true;
    const sequence = this.authority.sequenceOf(peer.certificate);
    return sequence > 0 && sequence <= this.#revokedUpTo;
  }

  /** A client certificate over any key; throws `invalid_argument` for a key that isn't one. */
  async issue(request: IssueRequest): Promise<IssuedCertificate> {
    const spki = Uint8Array.from(Buffer.from(request.spki, "base64"));
    try {
      createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    } catch (cause) {
      throw new KeyboundError("invalid_argument", "'spki' is not a public key.", { cause });
    }
    const der = await this.authority.issueClient({
      spki,
      clientId: request.clientId.toLowerCase(),
      tenantId: (request.tenantId ?? this.surroundings.defaultTenantId).toLowerCase(),
      ...this.validity(request.lifetime),
    });
    const certificate = new X509Certificate(der);
    return {
      certificate: certificate.raw.toString("base64"),
      pem: certificate.toString(),
      thumbprint: describePeer(certificate).thumbprint,
    };
  }

  /** The validity of a certificate issued now, in ms since the Unix epoch. */
  validity(lifetime: number = this.state.certificateLifetime): {
    notBefore: number;
    notAfter: number;
  } {
    const now = this.now();
    return { notBefore: now - this.state.certificateBackdate, notAfter: now + lifetime };
  }

  /** What the listeners show of the server, by kind; made once. */
  serverIdentity(kind: EmulatorState["serverCertificate"]): Promise<ServerIdentity> {
    let identity = this.#serverIdentities.get(kind);
    if (identity === undefined) {
      identity = this.authority.issueServer(kind, this.#hostTime());
      this.#serverIdentities.set(kind, identity);
    }
    return identity;
  }

  /** State and trust as they were at start. */
  reset(): void {
    this.state = this.#initialState;
    this.#revokedUpTo = 0;
    this.#revoked.clear();
    this.assertions.clear();
    this.vault.clear();
    this.blobs.clear();
  }
}
