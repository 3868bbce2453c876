/**
 * A schedule played on a world, every acquisition judged.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { KeyboundEvent } from "../../../mod.ts";
import { type BoundToken, KeyboundError } from "../../../mod.ts";
import { REMINT_COOLDOWN } from "../../../src/policy/healing.ts";
import { MAX_RETRY_AFTER } from "../../../src/policy/retry.ts";
import type { Episode, Fault, ScheduledStep } from "./faults.ts";
import { inflict, type Meanwhile } from "./inflict.ts";
import {
  type Acquisition,
  judgeAcquisition,
  judgeRecords,
  judgeRemints,
  type Outcome,
  type RemintMemory,
} from "./oracle.ts";
import { inRealTime } from "./real_time.ts";
import type { Client, World } from "./world.ts";

/**
 * Calls that may fail once all is well where a certificate or key was lost: one in the cool-down of
 * an earlier loss, one with a certificate of another process that was lost as well.
 */
const SECOND_CHANCES = 2;

/** How many rests come between two looks at what a server may hold back for an hour. */
const RECOVERY = 4;

/** A resource whose server checks token and certificate; no fault is ever on its way. */
const VAULT = "https://vault.azure.net";

/** A schedule that is being played. */
export class Simulation {
  /** Acquisitions so far. */
  acquisitions = 0;
  /** How they ended: `token`, or an error's code. */
  readonly outcomes: Map<string, number> = new Map();
  readonly #world: World;
  readonly #remints = new Map<Client, RemintMemory>();
  /** Since the last audit: correlation ids, the tokens got by them, the events told. */
  readonly #ids = new Set<string>();
  readonly #tokens: BoundToken[] = [];
  readonly #told: KeyboundEvent[] = [];
  /** A token of each client, to be stolen. */
  readonly #stolen = new Map<Client, string>();
  /** Resources that a client got no token for since the last recovery. */
  readonly #failed = new Map<Client, Set<string>>();
  /** Whether something was lost since the last rest that a client may need a cool-down to replace. */
  #harmed = false;
  #rests = 0;

  /** Nothing has been played yet. */
  constructor(world: World) {
    this.#world = world;
  }

  /** Plays an episode; what it fails with says at which step, and what had happened before. */
  async play(episode: Episode): Promise<void> {
    const told: string[] = [];
    try {
      for (const step of episode) {
        told.push(JSON.stringify(step));
        const outcomes = await this.#step(step);
        told.push(`  ${outcomes.join(", ")}`);
      }
      told.push("rest");
      await this.rest();
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      const recent = [...this.#told, ...this.#world.clients.flatMap(({ events }) => events)];
      const events = recent.slice(-40).map((event) => `  ${JSON.stringify(event)}`);
      const story = ["The episode:", ...told, "The latest events:", ...events];
      throw new Error(`${what}\n${story.join("\n")}`, { cause });
    }
  }

  /** All faults end. The next acquisition of every client works, and its token is taken. */
  async rest(): Promise<void> {
    const { clients, clock, emulator } = this.#world;
    await this.#world.calm();
    const resource = `https://rest-${++this.#rests}.example`;
    for (const [i, client] of clients.entries()) {
      for (let calls = 1;; calls++) {
        const { outcome } = await this.#ask(client, { resource }, undefined);
        if ("token" in outcome) break;
        if (calls > (this.#harmed ? SECOND_CHANCES : 0)) {
          throw new Error(`client ${i} got none though all is well`, { cause: outcome.error });
        }
        await clock.advance(REMINT_COOLDOWN);
        await this.#world.synchronize();
      }
    }
    this.#harmed = false;
    if (this.#rests % RECOVERY === 0) await this.#recover();
    const client = clients[this.#rests % clients.length]!;
    const response = await client.identity.fetch(`${emulator.resource}/`, {
      resource: VAULT,
      forceRefresh: true,
    });
    assert.equal(response.status, 200, "a resource server refused token and certificate");
    await response.body?.cancel();
    await this.#audit();
  }

  /**
   * What had failed can be had again when no server's word holds it back any more. A pause that began
   * while the clock was set on comes to bear later, once.
   */
  async #recover(): Promise<void> {
    const { clock } = this.#world;
    const failed = [...this.#failed].flatMap(([client, resources]) =>
      [...resources].map((resource) => [client, resource] as const)
    );
    this.#failed.clear();
    await clock.advance(MAX_RETRY_AFTER);
    for (const [client, resource] of failed) {
      for (let calls = 1;; calls++) {
        await this.#world.synchronize();
        const { outcome } = await this.#ask(client, { resource, forceRefresh: true }, undefined);
        if ("token" in outcome) break;
        if (calls > 1) {
          throw new Error(`${resource} is held back for good`, { cause: outcome.error });
        }
        await clock.advance(MAX_RETRY_AFTER);
      }
    }
  }

  /** Lets the faults of a step come about and its callers ask; says how they fared. */
  async #step(step: ScheduledStep): Promise<string[]> {
    const client = this.#world.clients[step.client]!;
    if (step.start !== "warm") {
      this.#read(client);
      this.#remints.delete(client);
      await this.#world.restart(client);
    }
    if (step.start === "cold") await this.#world.forget(client.alias);
    const meanwhile: Meanwhile[] = [];
    for (const fault of step.faults) {
      if (isHarm(fault)) this.#harmed = true;
      const more = await inflict(this.#world, client, fault, this.#tokenOfOther(client));
      if (more !== undefined) meanwhile.push(more);
    }
    const asked = Promise.all(
      Array.from({ length: step.callers }, (_, i) => {
        const resource = step.resources[i % step.resources.length]!;
        return this.#ask(client, { resource, forceRefresh: step.forceRefresh }, step.patience);
      }),
    );
    asked.catch(() => {});
    for (const more of meanwhile) await more(asked.catch(() => {}));
    return (await asked).map(({ outcome }) => nameOf(outcome));
  }

  /** One acquisition, judged. */
  async #ask(
    client: Client,
    asked: { resource: string; forceRefresh?: boolean },
    patience: number | undefined,
  ): Promise<Acquisition> {
    const { clock } = this.#world;
    const start = clock.elapsed;
    const over = new AbortController();
    const calling = new AbortController();
    const impatience = patience === undefined ? undefined : new Error("The caller gave up.");
    if (patience !== undefined) {
      clock.sleep(patience, over.signal).then(() => calling.abort(impatience), () => {});
    }
    const correlationId = crypto.randomUUID();
    this.#ids.add(correlationId);
    const { signal } = calling;
    const work = client.identity.getToken({ ...asked, correlationId, signal });
    const outcome = await inRealTime(work.then(
      (token): Outcome => ({ token }),
      (error: unknown): Outcome => ({ error }),
    ));
    over.abort();
    const now = clock.now();
    const elapsed = clock.elapsed - start;
    const { resource } = asked;
    const acquisition = { client, resource, outcome, now, elapsed, impatience, patience };
    this.#note(acquisition);
    judgeAcquisition(acquisition);
    return acquisition;
  }

  #note({ client, resource, outcome }: Acquisition): void {
    this.acquisitions++;
    const name = nameOf(outcome);
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
    const asker = client as Client;
    if (!("token" in outcome)) {
      this.#failed.set(asker, (this.#failed.get(asker) ?? new Set()).add(resource));
      return;
    }
    const { token } = outcome;
    this.#stolen.set(asker, token.accessToken);
    if (!token.fromCache) this.#tokens.push(token);
  }

  /** Compares what clients tell of themselves with what the services saw. */
  async #audit(): Promise<void> {
    const { clients, emulator } = this.#world;
    for (const client of clients) this.#read(client);
    const events = this.#told.splice(0);
    judgeRecords({
      records: await emulator.requests(),
      events,
      tokens: this.#tokens.splice(0),
      ids: this.#ids,
    });
    this.#ids.clear();
  }

  /** Takes what a client has told, and judges it. */
  #read(client: Client): void {
    const told = client.events.splice(0);
    this.#told.push(...told);
    const memory = this.#remints.get(client) ?? { last: new Map() };
    this.#remints.set(client, memory);
    judgeRemints(told, memory);
  }

  #tokenOfOther(client: Client): string {
    const other = this.#world.clients.find(({ clientId }) => clientId !== client.clientId)!;
    return this.#stolen.get(other) ?? "none";
  }
}

/** Whether a client may need the cool-down to get over this. */
function isHarm({ kind }: Fault): boolean {
  return kind === "revoked" || kind === "key_dead" || kind === "key_deleted" || kind === "damage";
}

function nameOf(outcome: Outcome): string {
  if ("token" in outcome) return "token";
  return outcome.error instanceof KeyboundError ? outcome.error.code : String(outcome.error);
}
