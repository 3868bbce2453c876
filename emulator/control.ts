/**
 * What can be asked of and told to a running emulator. Every argument is checked here, whether it
 * comes from this process or over the admin endpoint.
 *
 * @module
 */

import * as v from "valibot";
import type { Core } from "./core.ts";
import type { MtlsListenerHandle } from "./listeners.ts";
import type { Queue } from "./queue.ts";
import type { Recorder } from "./recorder.ts";
import {
  changesSchema,
  check,
  endpointSchema,
  issueSchema,
  listenerSchema,
  revocationSchema,
} from "./schemas.ts";
import { faultSchema, stepSchema } from "./step_schemas.ts";
import { withChanges } from "./state.ts";
import type { Closing, ConnectionFault, Step } from "./steps.ts";
import type { Counts, EndpointName, MtlsListener, RequestRecord } from "./traffic.ts";
import type {
  Emulator,
  EmulatorState,
  IssuedCertificate,
  IssueRequest,
  Revocation,
} from "./types.ts";

/** Methods of an emulator that can be called from another process. */
export const METHODS = [
  "counts",
  "requests",
  "script",
  "fault",
  "unscript",
  "set",
  "state",
  "revoke",
  "issue",
  "disconnect",
  "now",
  "advance",
  "reset",
] as const;

/** One of them. */
export type Method = (typeof METHODS)[number];

/** The parts that a control works on. */
export interface Controlled {
  readonly core: Core;
  readonly recorder: Recorder;
  readonly scripts: Readonly<Record<EndpointName, Queue<Step>>>;
  readonly listeners: Readonly<Record<MtlsListener, MtlsListenerHandle>>;
}

/** The methods as they are here, where those that needn't wait don't. */
type Methods = {
  [Name in Method]: Emulator[Name] extends (...args: infer Args) => Promise<infer Result>
    ? (...args: Args) => Result | Promise<Result>
    : never;
};

/** Carries out the methods of an {@linkcode Emulator} on its parts. */
export class Control implements Methods {
  readonly #parts: Controlled;

  /** A control over these parts. */
  constructor(parts: Controlled) {
    this.#parts = parts;
  }

  /** Calls one of the methods, whatever the arguments: each method checks its own. */
  async call(method: Method, args: readonly unknown[]): Promise<unknown> {
    return await Reflect.apply(this[method], this, args);
  }

  counts(): Counts {
    return this.#parts.recorder.counts();
  }

  requests(endpoint?: EndpointName): RequestRecord[] {
    const wanted = check(v.optional(endpointSchema), endpoint, "endpoint");
    return this.#parts.recorder.records(wanted);
  }

  script(endpoint: EndpointName, ...steps: Step[]): void {
    const queue = this.#parts.scripts[check(endpointSchema, endpoint, "endpoint")];
    queue.push(check(v.array(stepSchema), steps, "steps"));
  }

  fault(listener: MtlsListener, ...faults: ConnectionFault[]): void {
    const { faults: queue } = this.#parts.listeners[check(listenerSchema, listener, "listener")];
    queue.push(check(v.array(faultSchema), faults, "faults"));
  }

  unscript(endpoint?: EndpointName): void {
    const wanted = check(v.optional(endpointSchema), endpoint, "endpoint");
    if (wanted !== undefined) return this.#parts.scripts[wanted].clear();
    this.#clearScripts();
  }

  async set(changes: Partial<EmulatorState>): Promise<void> {
    const { core } = this.#parts;
    core.state = withChanges(core.state, check(changesSchema, changes, "state"));
    if ("serverCertificate" in changes || "maxTlsVersion" in changes) await this.#present();
  }

  state(): EmulatorState {
    return structuredClone(this.#parts.core.state);
  }

  revoke(what: Revocation): void {
    this.#parts.core.revoke(check(revocationSchema, what, "revocation"));
  }

  async issue(request: IssueRequest): Promise<IssuedCertificate> {
    return await this.#parts.core.issue(check(issueSchema, request, "request"));
  }

  disconnect(listener?: MtlsListener, how?: Closing): void {
    const wanted = check(v.optional(listenerSchema), listener, "listener");
    const ending = check(v.optional(v.picklist(["reset", "fin"])), how, "how") ?? "fin";
    const { token, resource } = this.#parts.listeners;
    if (wanted !== "resource") token.connections.endAll(ending);
    if (wanted !== "token") resource.connections.endAll(ending);
  }

  now(): number {
    return this.#parts.core.now();
  }

  async advance(ms: number): Promise<void> {
    await this.set({ clockOffset: this.#parts.core.state.clockOffset + ms });
  }

  async reset(): Promise<void> {
    this.#clearScripts();
    this.#parts.core.reset();
    await this.#parts.core.sourceHost.challenges.clear();
    this.#parts.recorder.clear();
    await this.#present();
  }

  #clearScripts(): void {
    for (const queue of Object.values(this.#parts.scripts)) queue.clear();
    for (const listener of Object.values(this.#parts.listeners)) listener.faults.clear();
  }

  /** Lets the listeners show what the state says; connections that are open stay as they are. */
  async #present(): Promise<void> {
    const { core, listeners } = this.#parts;
    const { serverCertificate, maxTlsVersion } = core.state;
    const identity = await core.serverIdentity(serverCertificate);
    for (const listener of Object.values(listeners)) listener.present(identity, maxTlsVersion);
  }
}
