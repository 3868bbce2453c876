/**
 * What can go wrong around an acquisition, as plain data.
 *
 * @module
 */

import type { ConnectionFault, EmulatorState, Step } from "../../../emulator/mod.ts";
import type { WireFault } from "./cutting_proxy.ts";
import type { DiskTrouble } from "./faulty_files.ts";
import type { DeviceTrouble, KeyDeath } from "./faulty_keys.ts";

/** Endpoints that answer an acquisition. */
export type Endpoint = "getplatformmetadata" | "issuecredential" | "token";

/** One thing that goes wrong. Unless said otherwise, it is over when the schedule comes to a rest. */
export type Fault =
  /** An endpoint answers otherwise, as often as the step says. */
  | { readonly kind: "answer"; readonly endpoint: Endpoint; readonly step: Step }
  /** The token endpoint answers with the token of another identity. */
  | { readonly kind: "stolen_token" }
  /** The services behave otherwise. */
  | { readonly kind: "state"; readonly changes: Partial<EmulatorState> }
  /** The token endpoint fails in the handshake. */
  | { readonly kind: "handshake"; readonly fault: ConnectionFault }
  /** Connections break at a byte. */
  | { readonly kind: "wire"; readonly to: "metadata" | "token"; readonly faults: WireFault[] }
  /** The disk. */
  | { readonly kind: "disk"; readonly trouble: DiskTrouble }
  /** A file of the client's directory is damaged, for good. */
  | { readonly kind: "damage"; readonly what: "entries" | "key" | "open_key" }
  /** The key is deleted from the directory, for good; who has opened it still has it. */
  | { readonly kind: "key_deleted" }
  /** The key is dead, for good. */
  | { readonly kind: "key_dead"; readonly death: KeyDeath }
  /** The device that keys are on. */
  | { readonly kind: "device"; readonly trouble: Exclude<DeviceTrouble, "none"> }
  /** Every certificate issued so far is revoked, for good. */
  | { readonly kind: "revoked"; readonly answer: EmulatorState["revocation"] }
  /** Another process dies with the store's lock, once somebody waits for it. */
  | { readonly kind: "owner_killed" }
  /** Time passes for everyone, milliseconds. */
  | { readonly kind: "time"; readonly ms: number }
  /** The host's clock is set wrong by so many milliseconds. */
  | { readonly kind: "clock"; readonly ms: number };

/** What a client starts from: its memory, its directory, or nothing. */
export type Start = "warm" | "restarted" | "cold";

/** Faults, and an acquisition among them. */
export interface ScheduledStep {
  readonly faults: readonly Fault[];
  /** Index of the client. */
  readonly client: number;
  readonly start: Start;
  /** How many ask at the same time, each for the resource at its place, over and over. */
  readonly callers: number;
  readonly resources: readonly string[];
  readonly forceRefresh: boolean;
  /** Milliseconds after which the callers give up; `undefined` for patient ones. */
  readonly patience: number | undefined;
}

/** Steps, after which all faults end: the next acquisition of every client works. */
export type Episode = readonly ScheduledStep[];
