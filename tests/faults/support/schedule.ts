/**
 * The fault schedule of a seed.
 *
 * @module
 */

import { type AlertName, type HandshakePoint } from "../../../emulator/mod.ts";
import { misbehaviour } from "./answers.ts";
import type { Direction, WireFault } from "./cutting_proxy.ts";
import type { Endpoint, Episode, Fault, ScheduledStep, Start } from "./faults.ts";
import type { Random } from "./random.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Resources that are asked for under faults; a server may hold each of them back for an hour. */
const RESOURCES = Array.from({ length: 12 }, (_, i) => `https://r${i}.example/path`);

const ALERTS: readonly (AlertName | number)[] = [
  "bad_certificate",
  "certificate_revoked",
  "certificate_expired",
  "certificate_unknown",
  "unsupported_certificate",
  "unknown_ca",
  "access_denied",
  "decrypt_error",
  "certificate_required",
  "handshake_failure",
  "internal_error",
  "protocol_version",
  "illegal_parameter",
  "decode_error",
  112,
  255,
];
const POINTS: readonly HandshakePoint[] = ["accept", "client_hello", "second_flight"];

/** Sizes of what goes over a wire, in bytes, roughly: where positions of faults are looked for. */
const LENGTHS = {
  token: { request: 2_300, response: 4_000 },
  metadata: { request: 1_200, response: 1_700 },
} as const;

/** Episodes without end for these clients; once, at first, a process dies with the lock. */
export function* schedule(random: Random, clients: number): Generator<Episode, never> {
  yield [{ ...step(random, clients), faults: [{ kind: "owner_killed" }], start: "cold" }];
  while (true) {
    yield Array.from({ length: random.between(3, 18) }, () => step(random, clients));
  }
}

function step(random: Random, clients: number): ScheduledStep {
  const [faults, start] = trouble(random);
  const resources = Array.from({ length: random.between(1, 4) }, () => random.pick(RESOURCES));
  return {
    faults,
    client: random.between(0, clients - 1),
    start,
    callers: random.chance(0.4) ? random.between(2, 12) : 1,
    resources,
    forceRefresh: random.chance(0.75),
    patience: random.chance(0.1) ? random.between(0, 60_000) : undefined,
  };
}

/** Kinds of trouble by how often they come, and what a client has to start from to notice. */
const KINDS: readonly (readonly [weight: number, make: (random: Random) => Trouble])[] = [
  [3, () => [[], "warm"]],
  [16, (random) => [[answer(random, "token")], "warm"]],
  [10, (random) => [[answer(random, metadataEndpoint(random))], "cold"]],
  [16, (random) => [[wire(random, "token")], "warm"]],
  [7, (random) => [[wire(random, "metadata")], "cold"]],
  [10, (random) => [[handshake(random)], "warm"]],
  [4, () => [[{ kind: "stolen_token" }], "warm"]],
  [5, (random) => [[state(random)], random.pick(["warm", "cold"])]],
  [5, (random) => [[disk(random)], random.pick(["restarted", "cold"])]],
  [4, (random) => [[damage(random)], "restarted"]],
  [3, () => [[{ kind: "key_deleted" }], "restarted"]],
  [4, (random) => [keyDead(random), random.pick(["warm", "restarted"])]],
  [3, (random) => [[device(random), aged(random)], random.pick(["warm", "restarted", "cold"])]],
  [4, (random) => [[revoked(random)], "warm"]],
  [5, (random) => [[time(random)], "warm"]],
  [4, (random) => [[clock(random)], random.pick(["warm", "restarted", "cold"])]],
  [1, () => [[], "restarted"]],
];

type Trouble = readonly [faults: Fault[], start: Start];

/** One kind of trouble; now and then another one comes on top. */
function trouble(random: Random): Trouble {
  const [faults, start] = oneTrouble(random);
  if (!random.chance(0.2)) return [faults, start];
  const [more, other] = oneTrouble(random);
  return [[...faults, ...more], start === "warm" ? other : start];
}

function oneTrouble(random: Random): Trouble {
  let left = random.next() * KINDS.reduce((sum, [weight]) => sum + weight, 0);
  const chosen = KINDS.find(([weight]) => (left -= weight) < 0) ?? KINDS[0]!;
  return chosen[1](random);
}

function metadataEndpoint(random: Random): Endpoint {
  return random.pick(["getplatformmetadata", "issuecredential"]);
}

function answer(random: Random, endpoint: Endpoint): Fault {
  const times = random.pick([1, 1, 1, 2, 5, 9]);
  return { kind: "answer", endpoint, step: { ...misbehaviour(random, endpoint), times } };
}

function wire(random: Random, to: "metadata" | "token"): Fault {
  const count = random.pick([1, 1, 2, 4]);
  return { kind: "wire", to, faults: Array.from({ length: count }, () => wireFault(random, to)) };
}

/** What may become of a connection. */
export function wireFault(random: Random, to: "metadata" | "token"): WireFault {
  const way: Direction = random.pick(["request", "response"]);
  const at = random.between(0, LENGTHS[to][way]);
  // Time passes for as long as the client waits, and no longer: the same silence to it.
  const timeout = to === "token" ? 30_000 : 10_000;
  const kinds: (() => WireFault)[] = [
    () => ({ kind: "cut", way, at, ending: "reset" }),
    () => ({ kind: "cut", way, at, ending: "fin" }),
    () => ({ kind: "hold", way, at, ms: timeout + 500, forever: true }),
    () => ({ kind: "hold", way, at, ms: random.between(1, timeout - 1) }),
    () => ({ kind: "drip", piece: random.between(100, 600), ms: random.between(100, timeout / 4) }),
  ];
  // What comes over plain HTTP is believed: TCP has checksums, and the service is the host's own.
  if (to === "token") kinds.push(() => ({ kind: "flip", way, at }));
  return random.pick([...kinds, kinds[0]!, kinds[1]!])();
}

function handshake(random: Random): Fault {
  const times = random.pick([1, 1, 2, 5]);
  const how = random.pick(["reset", "fin"] as const);
  return {
    kind: "handshake",
    fault: random.pick([
      { kind: "alert", alert: random.pick(ALERTS), times },
      { kind: "alert", alert: random.pick(ALERTS), times },
      { kind: "close", at: random.pick(POINTS), how, times },
      { kind: "plain_http", times },
    ]),
  };
}

function state(random: Random): Fault {
  return {
    kind: "state",
    changes: random.pick([
      { tokenBound: false },
      { tokenBound: false, tokenType: "Bearer" },
      { tokenType: "Bearer" },
      { tokenAudience: "https://other.example" },
      { v1Only: true },
      { attestation: "required" },
      { acceptEc: false },
      { certificateBackdate: 8 * DAY },
      { certificateBackdate: -HOUR },
      { certificateLifetime: HOUR },
      { certificateOverTls13: false },
      { serverCertificate: "expired" },
      { serverCertificate: "wrong_host" },
      { serverCertificate: "untrusted" },
      { tokenLifetime: MINUTE },
    ]),
  };
}

function disk(random: Random): Fault {
  return { kind: "disk", trouble: random.pick(["ENOSPC", "EROFS", "EACCES", "EIO"]) };
}

function damage(random: Random): Fault {
  return { kind: "damage", what: random.pick(["entries", "key", "open_key"]) };
}

function keyDead(random: Random): Fault[] {
  const fault: Fault = { kind: "key_dead", death: random.pick(["unusable", "lying"]) };
  return random.chance(0.5) ? [fault, aged(random)] : [fault];
}

function device(random: Random): Fault {
  return { kind: "device", trouble: random.pick(["away", "silent"]) };
}

function revoked(random: Random): Fault {
  return { kind: "revoked", answer: random.pick(["invalid_client", "reset"]) };
}

/** Long enough for the last proof of a key not to count any more, or nearly. */
function aged(random: Random): Fault {
  return { kind: "time", ms: random.between(4 * MINUTE, 8 * MINUTE) };
}

function time(random: Random): Fault {
  const [least, most] = random.pick([[0, MINUTE], [MINUTE, HOUR], [HOUR, DAY], [DAY, 8 * DAY]]);
  return { kind: "time", ms: random.between(least!, most!) };
}

function clock(random: Random): Fault {
  const ms = random.between(0, random.pick([10 * MINUTE, 2 * DAY, 400 * DAY]));
  return { kind: "clock", ms: random.chance(0.5) ? ms : -ms };
}
