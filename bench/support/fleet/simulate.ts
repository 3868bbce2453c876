/**
 * A fleet of hosts, its certificates and tokens, on a virtual clock. Pure: the same seed, the same
 * history.
 *
 * Every identity of a host has one token that its application asks for all the time, so a refresh
 * happens when it is due. A certificate is looked at when a token is asked for. Both are lost when the
 * host reboots. During the outage neither certificates nor tokens are issued.
 *
 * @module
 */

import { RENEWAL_PAUSE, type Validity } from "../../../src/policy/renewal.ts";
import { REFRESH_PAUSE } from "../../../src/policy/token_life.ts";
import { admission, IMDS_LIMITS } from "../../../src/sources/limiter.ts";
import { seededNumbers } from "../../../tests/support/seeded_numbers.ts";
import { Agenda } from "./agenda.ts";
import type { FleetRules } from "./rules.ts";

/** A fleet and what befalls it. Times in milliseconds since the start. */
export interface FleetPlan {
  readonly seed: number;
  readonly hosts: number;
  /** Identities of each host. */
  readonly identities: number;
  readonly duration: number;
  readonly certificateLifetime: number;
  readonly tokenLifetime: number;
  /** When all hosts start, one after the other in this span. */
  readonly rollOut: Span;
  /** When nothing is issued. */
  readonly outage: Span;
  /** When all hosts reboot, one after the other in this span. */
  readonly reboot: Span;
}

/** From when until when. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** Requests for certificates in each second. */
export type Requests = Uint32Array;

/** Milliseconds that the metadata service takes for an answer. */
const LATENCY = 50;
/** Milliseconds until an application without a token asks again. */
const ASK_AGAIN = 30_000;

/** What can happen to a client; an event is the client's number times four plus one of these. */
const [BOOT, ASK, SEND, ANSWER] = [0, 1, 2, 3];

/** The history of a fleet that goes by these rules. */
export function simulateFleet(plan: FleetPlan, rules: FleetRules): Requests {
  const random = seededNumbers(plan.seed);
  const agenda = new Agenda();
  const requests: Requests = new Uint32Array(Math.ceil(plan.duration / 1000));
  const clients = Array.from({ length: plan.hosts * plan.identities }, newClient);
  const doors = Array.from({ length: plan.hosts }, newDoor);
  const doorOf = (id: number) => doors[Math.floor(id / plan.identities)]!;
  const isOut = (now: number) => now >= plan.outage.from && now < plan.outage.until;
  const plain = ({ from, until }: Span) => from + random() * (until - from);
  const event = (id: number, kind: number) => id * 4 + kind;

  for (let host = 0; host < plan.hosts; host++) {
    for (const start of [plain(plan.rollOut), plain(plan.reboot)]) {
      for (let i = 0; i < plan.identities; i++) {
        agenda.add(start, event(host * plan.identities + i, BOOT));
      }
    }
  }

  /** An application asks for its token, or a timer for a new certificate. */
  const ask = (now: number, id: number) => {
    const client = clients[id]!;
    const { validity } = client;
    if (validity === undefined || !rules.isUsable(validity, now)) return startMint(now, id);
    if (now >= client.renewAt) {
      client.renewAt = now + RENEWAL_PAUSE;
      startMint(now, id);
    }
    if (now < client.refreshAt) return lookAgain(id);
    const life = { receivedOn: now, expiresIn: plan.tokenLifetime };
    client.refreshAt = isOut(now) ? now + REFRESH_PAUSE : rules.refreshAt(life, random());
    lookAgain(id);
  };
  const lookAgain = (id: number) => {
    const client = clients[id]!;
    client.looksAt = rules.onTime ? Math.min(client.refreshAt, client.renewAt) : client.refreshAt;
    agenda.add(client.looksAt, event(id, ASK));
  };
  const startMint = (now: number, id: number) => {
    const client = clients[id]!;
    if (client.stage !== "none") return;
    client.stage = "metadata";
    client.failures = 0;
    send(now, id);
  };
  /** One request to the metadata service, as far as the host's limits let it. */
  const send = (now: number, id: number) => {
    const door = doorOf(id);
    while (door.starts.length > 0 && now - door.starts[0]! >= 1000) door.starts.shift();
    const wait = admission(door.running, door.starts, now, IMDS_LIMITS);
    if (wait === Infinity) return void door.waiting.push(id);
    if (wait > 0) return agenda.add(now + wait, event(id, SEND));
    door.running++;
    door.starts.push(now);
    if (clients[id]!.stage === "certificate") requests[Math.floor(now / 1000)]!++;
    agenda.add(now + LATENCY, event(id, ANSWER));
  };
  const answer = (now: number, id: number) => {
    const [client, door] = [clients[id]!, doorOf(id)];
    door.running--;
    const next = door.waiting.shift();
    if (next !== undefined) send(now, next);
    if (client.stage === "metadata") {
      client.stage = "certificate";
      return send(now, id);
    }
    if (isOut(now)) return fail(now, id);
    client.stage = "none";
    client.validity = { notBefore: now, notAfter: now + plan.certificateLifetime };
    client.renewAt = rules.renewAt(client.validity, random());
    // The first token of this certificate, or the one that follows those of its predecessor.
    client.refreshAt = now;
    ask(now, id);
  };
  const fail = (now: number, id: number) => {
    const client = clients[id]!;
    const delay = rules.retryAfter(++client.failures, random());
    if (delay !== undefined) return agenda.add(now + delay, event(id, SEND));
    client.stage = "none";
    if (client.validity === undefined || !rules.isUsable(client.validity, now)) {
      agenda.add(now + ASK_AGAIN, event(id, ASK));
    } else if (rules.onTime) {
      lookAgain(id);
    }
  };

  agenda.run(plan.duration, (now, number) => {
    const [id, kind] = [Math.floor(number / 4), number % 4];
    const client = clients[id]!;
    if (kind === BOOT) {
      // What is under way finishes, and is then a new client's.
      client.validity = undefined;
      ask(now, id);
    } else if (kind === ASK) {
      // One that was put off meanwhile says so by its time.
      const isHeld = client.validity !== undefined && rules.isUsable(client.validity, now);
      if (!isHeld || now === client.looksAt) ask(now, id);
    } else if (kind === SEND) send(now, id);
    else answer(now, id);
  });
  return requests;
}

interface Client {
  validity: Validity | undefined;
  renewAt: number;
  refreshAt: number;
  /** When it asks next; another time among the events is out of date. */
  looksAt: number;
  /** The request under way, if one is. */
  stage: "none" | "metadata" | "certificate";
  failures: number;
}

function newClient(): Client {
  return { validity: undefined, renewAt: 0, refreshAt: 0, looksAt: 0, stage: "none", failures: 0 };
}

/** One host's way to its metadata service. */
interface Door {
  running: number;
  readonly starts: number[];
  readonly waiting: number[];
}

function newDoor(): Door {
  return { running: 0, starts: [], waiting: [] };
}
