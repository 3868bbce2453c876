/**
 * What everything about one alias's binding has in common.
 *
 * @module
 */

import type { Attestor } from "../attestation.ts";
import type { Identity } from "../identity.ts";
import type { AcquisitionContext, MetadataService } from "../imds/request.ts";
import type { KeyAlgorithm, KeyProvider, KeyStrength, SigningKey } from "../keys.ts";
import type { SingleFlight } from "../single_flight.ts";
import type { CertStore } from "../stores.ts";
import type { MtlsTransport } from "../transports.ts";
import type { Binding } from "./binding.ts";
import type { BindingCache } from "./cache.ts";

/** Which key is wanted. */
export interface KeyChoice {
  /** Where keys come from. */
  readonly keys: KeyProvider;
  /** The key's name; all identities of a process share it. */
  readonly keyId: string;
  /** What to make where there is none. */
  readonly algorithm: KeyAlgorithm;
}

/** What a request demands of the key. */
export interface KeyDemands {
  /** Weakest key that will do. */
  readonly minStrength?: KeyStrength | undefined;
  /** Whether the key is to be attested, which only KeyGuard keys can be. */
  readonly attest: boolean;
}

/** What a mint needs. */
export interface MintDependencies extends MetadataService {
  /** Whose certificate it is. */
  readonly identity: Identity;
  /** Attests the key, where the certificate is to be an attested one. */
  readonly attestor: Attestor | undefined;
  /** Hashing. */
  readonly crypto: Crypto;
}

/** What the process holds: backends, caches, flights, settings. */
export interface BindingDependencies extends Omit<MintDependencies, "attestor"> {
  /** The key all certificates are for. */
  readonly choice: KeyChoice;
  /** Certificates between runs. */
  readonly store: CertStore;
  /** Transports, best first. */
  readonly transports: readonly MtlsTransport[];
  /** Bindings of this process. */
  readonly cache: BindingCache;
  /** One load, probe, heal or renewal at a time, by kind of work and alias. */
  readonly flights: SingleFlight<Obtained | undefined>;
  /** One search for the key at a time. */
  readonly keyFlights: SingleFlight<SigningKey>;
  /** Milliseconds after which a proof of the key no longer counts. */
  readonly probeInterval: number;
  /** Milliseconds between two re-mints of one alias. */
  readonly remintCooldown: number;
  /** Starts an acquisition of its own, for work in the background. */
  readonly begin: (alias: string, correlationId?: string) => AcquisitionContext;
  /** Called when a certificate is evicted; throws away the tokens bound to it and counts them. */
  readonly onEvict: (binding: Binding) => number;
  /** Called when a certificate has a successor. */
  readonly onRotate: (previous: Binding) => void;
}

/** One request for a binding. */
export interface BindingRequest extends KeyDemands {
  /** Whose binding: `<identity>#att=0|1`. */
  readonly alias: string;
  /** Attests the key; present exactly when `attest` is true. */
  readonly attestor: MintDependencies["attestor"];
}

/** A binding and how it was come by. */
export interface Obtained {
  /** The binding. */
  readonly binding: Binding;
  /** Whether it was minted to replace a dead or rejected one. */
  readonly reminted: boolean;
}

/** The acquisition a request belongs to, with the signal of the flight that serves it. */
export type FlightContext = AcquisitionContext & { readonly signal: AbortSignal };
