/**
 * The SChannel engine between a server and a Windows that answer in any order: whatever the statuses,
 * the handshake is done only by `SEC_E_OK` on a version that was asked for and a server that was
 * verified, nothing is lost or looked at twice, and every loop ends.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SchannelEngine } from "../../backends/schannel/engine.ts";
import { handshakeMove, recordMove } from "../../backends/schannel/moves.ts";
import type {
  ContextStep,
  OpenedRecord,
  SealedRecord,
  SecurityContext,
} from "../../backends/schannel/security_context.ts";
import { ServerFlight } from "../../backends/schannel/server_flight.ts";
import { STATUS } from "../../backends/schannel/statuses.ts";
import { Backlog } from "../../backends/tls_engine/backlog.ts";
import { concat, hex } from "../../src/encoding.ts";
import { alertRecord, handshakeRecord, serverHello, TLS_1_2, TLS_1_3 } from "./support/records.ts";

const BOTH = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
const NOTHING = new Uint8Array(0);

/** What Windows answers to one call. */
interface Reply {
  readonly status: number;
  /** Bytes it wants to be sent, or has opened. */
  readonly bytes: Uint8Array;
  /** The share of the input that it leaves. */
  readonly left: number;
}

const reply: fc.Arbitrary<Reply> = fc.record({
  status: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...Object.values(STATUS)) },
    { weight: 1, arbitrary: fc.constantFrom(0x80090304, 0x80090327, 0x80090330, 0x8009030d) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
  ),
  bytes: fc.uint8Array({ maxLength: 4 }),
  left: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
});

/** A reply as Windows gives it when all goes well. */
function good(status: number): Reply {
  return { status, bytes: NOTHING, left: 0 };
}

/** How a handshake begins that ends well. */
const OPENING = [good(STATUS.CONTINUE_NEEDED), good(STATUS.OK)];

/** A Windows that gives these replies, and fails for good when it has no more. */
class Replies implements SecurityContext {
  readonly #replies: Reply[];
  readonly #isTrusted: boolean;
  /** How many bytes it took, in all. */
  taken = 0;
  /** Calls so far. */
  calls = 0;
  /** Calls since the last look that gave data and took nothing for it. */
  barren = 0;
  verified = false;
  /** The status of the last step of the handshake. */
  last = 0;

  constructor(replies: readonly Reply[], isTrusted: boolean) {
    this.#replies = [...replies];
    this.#isTrusted = isTrusted;
  }

  #next(length: number): Reply & { readonly extra: number } {
    this.calls++;
    const given = this.#replies.shift() ?? { status: 0x80090326, bytes: NOTHING, left: 0 };
    return { ...given, extra: Math.floor(given.left * length) };
  }

  #step(input: Uint8Array): ContextStep {
    const { status, bytes, extra } = this.#next(input.length);
    this.last = status;
    if (["done", "continue"].includes(handshakeMove(status))) this.taken += input.length - extra;
    return { status, token: bytes, extra };
  }

  // deno-lint-ignore require-await
  async advance(input: Uint8Array | undefined): Promise<ContextStep> {
    return this.#step(input ?? NOTHING);
  }

  settle(input: Uint8Array): ContextStep {
    return this.#step(input);
  }

  open(input: Uint8Array): OpenedRecord {
    const { status, bytes, extra } = this.#next(input.length);
    const isTaken = ["data", "settle", "ended"].includes(recordMove(status));
    if (isTaken) this.taken += input.length - extra;
    if (recordMove(status) === "data" && extra === input.length) this.barren++;
    return { status, data: isTaken ? bytes : NOTHING, extra };
  }

  seal(data: Uint8Array): SealedRecord {
    return { status: STATUS.OK, record: data };
  }

  // deno-lint-ignore require-await
  async verifyServer(): Promise<void> {
    if (!this.#isTrusted) throw new Error("untrusted");
    this.verified = true;
  }

  maximumMessage(): number {
    return 3;
  }

  presentedCertificate(): boolean {
    return this.#isTrusted;
  }

  shutdown(): ContextStep {
    return { status: STATUS.OK, token: NOTHING, extra: 0 };
  }

  free(): void {}
}

const record = fc.oneof(
  fc.constantFrom(serverHello(TLS_1_2), serverHello(TLS_1_3), alertRecord(48)),
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map((content) => handshakeRecord(content)),
);
/** What a server sends, cut anywhere. */
const chunks: fc.Arbitrary<Uint8Array[]> = fc.tuple(
  fc.array(record, { maxLength: 4, size: "max" }),
  fc.array(fc.nat(200), { maxLength: 6 }),
).map(([records, cuts]) => cut(concat(...records), cuts));

function cut(whole: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((at) => Math.min(at, whole.length)), whole.length]
    .sort((a, b) => a - b);
  return places.slice(1).map((end, i) => whole.subarray(places[i], end));
}

/** Shakes hands for as long as there is something to do; says whether it is done. */
async function shakeHands(engine: SchannelEngine, received: readonly Uint8Array[]) {
  let { done, failure } = await engine.handshake(NOTHING);
  for (const chunk of received) {
    if (done || failure !== undefined) break;
    ({ done, failure } = await engine.handshake(chunk));
  }
  return done;
}

describe("a handshake with any server on any Windows", () => {
  it("is done only by OK, on a version asked for, with a server that was verified", async () => {
    const [start, end] = OPENING as [Reply, Reply];
    const waits = fc.array(fc.constant(good(STATUS.INCOMPLETE_MESSAGE)), { maxLength: 2 });
    const script = fc.oneof(
      fc.array(reply, { maxLength: 12 }),
      waits.map((list) => [start, ...list, end]),
      fc.tuple(waits, reply).map(([list, odd]) => [start, odd, ...list, end]),
    );
    const greeted = fc.tuple(fc.constantFrom(TLS_1_2, TLS_1_3), chunks)
      .map(([version, more]) => [serverHello(version), ...more]);
    let done = 0;
    await fc.assert(
      fc.asyncProperty(
        script,
        fc.oneof(chunks, greeted),
        fc.boolean(),
        async (replies, received, isTrusted) => {
          const context = new Replies(replies, isTrusted);
          const engine = new SchannelEngine(context, BOTH);
          const isDone = await shakeHands(engine, received).catch(() => false);
          assert.ok(context.calls <= replies.length + 1, "asked again after a failure");
          if (!isDone) {
            assert.throws(
              () => engine.encrypt(Uint8Array.of(1)),
              "data before the handshake's end",
            );
            return;
          }
          done++;
          const flight = new ServerFlight();
          flight.read(concat(...received));
          assert.equal(context.last, STATUS.OK);
          assert.ok(context.verified && isTrusted, "a server that wasn't verified");
          assert.notEqual(flight.version, undefined, "a version that wasn't asked for");
        },
      ),
      { numRuns: 1000 },
    );
    assert.ok(done > 10, `only ${done} were done: the property says little`);
  });
});

describe("records on any Windows", () => {
  it("are opened in order, none lost and none twice, until one fails or ends it", async () => {
    const script = fc.array(reply, { maxLength: 12 });
    const hello = fc.constantFrom(TLS_1_2, TLS_1_3);
    const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(script, hello, pieces, async (replies, version, received) => {
        const context = new Replies([...OPENING, ...replies], true);
        const engine = new SchannelEngine(context, BOTH);
        assert.equal(await shakeHands(engine, [serverHello(version)]), true);
        context.taken = 0;
        let given = 0;
        for (const piece of received) {
          given += piece.length;
          const { failure, ended, data } = engine.decrypt(piece.slice());
          assert.ok(context.taken <= given, "more was taken than had come");
          assert.ok(context.barren === 0 || failure !== undefined, "a loop that gets nowhere");
          for (const part of data) assert.ok(part.length > 0);
          assert.ok(!(ended && failure !== undefined));
          if (ended || failure !== undefined) return;
        }
        assert.ok(context.calls <= OPENING.length + replies.length + 1);
      }),
      { numRuns: 1000 },
    );
  });

  it("hold all that is sealed, in pieces of what Windows takes", async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (data) => {
      const engine = new SchannelEngine(new Replies(OPENING, true), BOTH);
      await shakeHands(engine, [serverHello(TLS_1_3)]);
      assert.equal(hex(engine.encrypt(data)), hex(data));
    }));
  });
});

describe("the first bytes of any server", () => {
  it("are seen alike, however they are cut", () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), chunks.map((all) => concat(...all)));
    fc.assert(fc.property(bytes, fc.array(fc.nat(200)), (whole, cuts) => {
      const [one, many] = [[whole], cut(whole, cuts)].map((all) => {
        const flight = new ServerFlight();
        for (const chunk of all) flight.read(chunk);
        return [flight.version, flight.alert, flight.foreign];
      });
      assert.deepEqual(many, one);
    }));
  });
});

describe("what came while nobody could look", () => {
  it("is taken as it came, all of it, once", () => {
    const step = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined });
    fc.assert(fc.property(fc.array(step), (steps) => {
      const backlog = new Backlog();
      let waiting: Uint8Array[] = [];
      for (const chunk of [...steps, undefined]) {
        if (chunk !== undefined) {
          backlog.add(chunk);
          waiting.push(chunk);
          continue;
        }
        assert.equal(hex(backlog.take()), hex(concat(...waiting)));
        waiting = [];
      }
    }));
  });
});
