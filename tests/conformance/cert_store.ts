/**
 * What every certificate store does: the sentences of `src/stores.ts` as tests, among them the
 * behaviours of protocol.md sections 10.3 and 10.4. A backend is done when it passes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Clock, systemClock } from "../../src/clock.ts";
import { utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { CertStore, StoredBinding } from "../../src/stores.ts";
import { issueCertificate } from "../support/certificates.ts";
import { drive, EPOCH, HOUR, type ManualClock, manualClock, settle } from "../support/clock.ts";

/** A store to be examined, empty. */
export interface CertStoreUnderTest {
  readonly store: CertStore;
  /** One more store over the same entries and locks, as another process would have it. */
  readonly another?: () => Promise<CertStore>;
  /** Disposes of the store and its entries. */
  readonly cleanup?: () => Promise<void>;
}

/** A store under test and the clock that it goes by. */
interface Examination extends CertStoreUnderTest {
  readonly clock: ManualClock;
}

const ALIAS = "system_assigned_managed_identity#att=0";
const ENDPOINT = "https://mtlsauth.example/11111111-2222-3333-4444-555555555555";
const CLIENT_ID = "3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";

const BAD_ALIASES = ["", " ", "\t ", "a|b", "a\rb", "a\nb", "a\0b", "x".repeat(2049)];

const ODD_ALIASES = [
  "Identity#att=1",
  "identity#att=1",
  "identity#att=0",
  "identity#att=",
  "/subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/i#att=0",
  "..",
  "schlüssel-キー-🔑#att=0",
  "schlu\u0308ssel-キー-🔑#att=0",
  "x".repeat(2048),
  "x".repeat(2047) + "y",
];

/** The suite, for the store that `make` makes; it has to go by the clock that it is given. */
export function describeCertStore(
  title: string,
  make: (clock: Clock) => Promise<CertStoreUnderTest>,
  traits: {
    readonly name: string;
    /** Whether the medium keeps a certificate only once, under whichever alias. @default false */
    readonly keepsCertificatesOnce?: boolean;
  },
): void {
  /** Runs a test on a store of its own. */
  const examine =
    (examination: (subject: Examination) => Promise<void>) => async (): Promise<void> => {
      const clock = manualClock();
      const subject = await make(clock);
      try {
        await examination({ ...subject, clock });
      } finally {
        await subject.cleanup?.();
      }
    };

  describe(`${title} as a certificate store`, () => {
    it(
      "says its name",
      examine(({ store }) => {
        assert.equal(store.name, traits.name);
        return Promise.resolve();
      }),
    );

    it(
      "lists nothing of an alias that was never put (TryGet_EmptyCache_ReturnsFalse)",
      examine(async ({ store }) => {
        assert.deepEqual(await store.list(ALIAS), []);
        assert.equal(await store.evict(ALIAS), 0);
      }),
    );

    it(
      "refuses bad aliases with invalid_argument (Write_And_Read_Handle_Alias_EdgeCases)",
      examine(async ({ store }) => {
        const binding = await expiringAfter(1);
        for (const alias of BAD_ALIASES) {
          await assertRejects(store.list(alias), "invalid_argument");
          await assertRejects(store.put(alias, binding), "invalid_argument");
          await assertRejects(store.evict(alias), "invalid_argument");
          await assertRejects(store.lock(alias, never), "invalid_argument");
        }
      }),
    );

    it(
      "refuses what can't be a binding (Validate_Arguments)",
      examine(async ({ store }) => {
        const binding = await expiringAfter(1);
        const put = (change: Partial<StoredBinding>) => store.put(ALIAS, { ...binding, ...change });
        await assertRejects(put({ certificate: utf8("no certificate") }), "invalid_der");
        for (const endpoint of ["", "http://plain.example/t", "https://a.example/t|", "text"]) {
          await assertRejects(put({ endpoint }), "invalid_argument");
        }
        for (const clientId of ["", " ", "a|b", "a\nb"]) {
          await assertRejects(put({ clientId }), "invalid_argument");
        }
        assert.deepEqual(await store.list(ALIAS), []);
      }),
    );

    it(
      "gives back certificate, endpoint and client id (Write_Then_Read_HappyPath)",
      examine(async ({ store, another }) => {
        const binding = await expiringAfter(1);
        await store.put(ALIAS, binding);
        assertBindings(await store.list(ALIAS), [binding]);
        if (another !== undefined) assertBindings(await (await another()).list(ALIAS), [binding]);
      }),
    );

    it(
      "lists the one that expires last first (Read_Prefers_Newest_Among_Many)",
      examine(async ({ store }) => {
        const bindings = [];
        for (const hours of [1, 2, 3, 30]) {
          const binding = await expiringAfter(hours, `https://mtlsauth.example/t${hours}`);
          await store.put(ALIAS, binding);
          bindings.unshift(binding);
        }
        assertBindings(await store.list(ALIAS), bindings);
      }),
    );

    it(
      "does nothing where an entry expires later (Write_NewestWins_SkipOlder)",
      examine(async ({ store }) => {
        const newer = await expiringAfter(2);
        await store.put(ALIAS, newer);
        await store.put(ALIAS, await expiringAfter(1));
        assertBindings(await store.list(ALIAS), [newer]);
      }),
    );

    it(
      "does nothing where an entry expires at the same time (Write_Skip_Add_When_NewerOrEqual)",
      examine(async ({ store }) => {
        const first = await expiringAfter(1);
        await store.put(ALIAS, first);
        await store.put(ALIAS, first);
        await store.put(ALIAS, await expiringAfter(1));
        assertBindings(await store.list(ALIAS), [first]);
      }),
    );

    it(
      "replaces after an eviction",
      examine(async ({ store }) => {
        await store.put(ALIAS, await expiringAfter(2));
        assert.equal(await store.evict(ALIAS), 1);
        const older = await expiringAfter(1);
        await store.put(ALIAS, older);
        assertBindings(await store.list(ALIAS), [older]);
      }),
    );

    it(
      "leaves a certificate out from the moment it expires (IsExpiredUtc_Boundary)",
      examine(async ({ store, clock }) => {
        const binding = await expiringAfter(1);
        await store.put(ALIAS, binding);
        await clock.advance(HOUR - 1);
        assertBindings(await store.list(ALIAS), [binding]);
        await clock.advance(1);
        assertBindings(await store.list(ALIAS), []);
      }),
    );

    it(
      "never lists a certificate that had expired when it was put",
      examine(async ({ store }) => {
        await store.put(ALIAS, await expiringAfter(0));
        await store.put(ALIAS, await expiringAfter(-1));
        assertBindings(await store.list(ALIAS), []);
      }),
    );

    it(
      "prunes the expired entries of the alias, and only them (Delete_Prunes_Expired_Only)",
      examine(async ({ store, clock }) => {
        await store.put(ALIAS, await expiringAfter(1));
        await store.put(ALIAS, await expiringAfter(2));
        await store.put(ALIAS, await expiringAfter(30));
        await store.put("other", await expiringAfter(1));
        await clock.advance(2 * HOUR);
        await store.put(ALIAS, await expiringAfter(31));
        assert.equal(await store.evict(ALIAS), 2);
        assert.equal(await store.evict("other"), 1);
      }),
    );

    it(
      "evicts all entries of an alias and counts them (DeleteAllForAlias_Removes_All)",
      examine(async ({ store, another }) => {
        await store.put(ALIAS, await expiringAfter(1));
        await store.put(ALIAS, await expiringAfter(2));
        assert.equal(await store.evict(ALIAS), 2);
        assertBindings(await store.list(ALIAS), []);
        assert.equal(await store.evict(ALIAS), 0);
        if (another !== undefined) assertBindings(await (await another()).list(ALIAS), []);
      }),
    );

    it(
      "keeps aliases apart byte for byte (Read_Isolated_Per_Alias_No_Cross_Talk)",
      examine(async ({ store }) => {
        const issue = issuer(5, traits.keepsCertificatesOnce);
        const bindings = new Map<string, StoredBinding>();
        for (const [i, alias] of ODD_ALIASES.entries()) {
          assertBindings(await store.list(alias), []);
          bindings.set(alias, { ...await issue(), endpoint: `https://mtlsauth.example/t${i}` });
          await store.put(alias, bindings.get(alias)!);
        }
        for (const alias of ODD_ALIASES) {
          assertBindings(await store.list(alias), [bindings.get(alias)!]);
        }
      }),
    );

    it(
      "evicts no other alias (DeleteAllForAlias_Does_Not_Remove_Other_Aliases)",
      examine(async ({ store }) => {
        const issue = issuer(1, traits.keepsCertificatesOnce);
        const bindings = new Map<string, StoredBinding>();
        for (const alias of ODD_ALIASES) {
          bindings.set(alias, await issue());
          await store.put(alias, bindings.get(alias)!);
        }
        for (const [i, alias] of ODD_ALIASES.entries()) {
          assert.equal(await store.evict(alias), 1);
          for (const later of ODD_ALIASES.slice(i + 1)) {
            assertBindings(await store.list(later), [bindings.get(later)!]);
          }
        }
      }),
    );

    it(
      "shares no bytes with its callers (Set_Then_TryGet_Hit_And_ReturnsClone)",
      examine(async ({ store }) => {
        const binding = await expiringAfter(1);
        const given = { ...binding, certificate: binding.certificate.slice() };
        await store.put(ALIAS, given);
        given.certificate.fill(0);
        const [first] = await store.list(ALIAS);
        first!.certificate.fill(0);
        assertBindings(await store.list(ALIAS), [binding]);
      }),
    );

    it(
      "is left with whole entries when many put and evict at once",
      examine(async ({ store }) => {
        const bindings = await Promise.all([1, 2, 3, 4, 5].map((hours) => expiringAfter(hours)));
        await Promise.all(bindings.flatMap((binding) => [
          store.put(ALIAS, binding),
          store.list(ALIAS),
          store.evict("other"),
        ]));
        const [newest] = await store.list(ALIAS);
        assertBindings([newest!], [bindings[4]!]);
      }),
    );
  });

  describe(`${title} as a lock`, () => {
    it(
      "gives what the work gives",
      examine(async ({ store }) => {
        assert.equal(await store.lock(ALIAS, () => Promise.resolve("done")), "done");
      }),
    );

    it(
      "is released when the work fails (ActionThrows_ReturnsFalse_AndLockReleased)",
      examine(async ({ store }) => {
        const failure = new Error("failed");
        const isFailure = (error: unknown) => error === failure;
        await assert.rejects(store.lock(ALIAS, () => Promise.reject(failure)), isFailure);
        const throws = () => {
          throw failure;
        };
        await assert.rejects(store.lock(ALIAS, throws), isFailure);
        assert.equal(await store.lock(ALIAS, () => Promise.resolve(1), { timeout: 0 }), 1);
      }),
    );

    it("lets one of 50 callers in at a time (MultipleConcurrentAttempts_AreSerialized)", async () => {
      const { store, another, cleanup } = await make(systemClock());
      try {
        const stores = [store, await another?.() ?? store];
        let inside = 0;
        let done = 0;
        await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            stores[i % 2]!.lock(ALIAS, async () => {
              assert.equal(++inside, 1);
              for (let turns = 0; turns < 3; turns++) await settle();
              assert.equal(--inside, 0);
              done++;
            })),
        );
        assert.equal(done, 50);
      } finally {
        await cleanup?.();
      }
    });

    it(
      "lets its holder list, put and evict",
      examine(async ({ store }) => {
        await store.lock(ALIAS, async () => {
          await store.put(ALIAS, await expiringAfter(1));
          assert.equal((await store.list(ALIAS)).length, 1);
          assert.equal(await store.evict(ALIAS), 1);
        });
      }),
    );

    it(
      "of one name never waits for another, however alike",
      examine(async ({ store }) => {
        const nested = ODD_ALIASES.reduceRight<() => Promise<string>>(
          (inner, alias) => () => store.lock(alias, inner, { timeout: 0 }),
          () => Promise.resolve("innermost"),
        );
        assert.equal(await nested(), "innermost");
      }),
    );

    it(
      "that is busy is given up after the timeout with store_lock_timeout",
      examine(async ({ store, another, clock }) => {
        for (const other of [store, await another?.() ?? store]) {
          await whileHeld(store, async () => {
            await assertRejects(
              drive(clock, other.lock(ALIAS, never, { timeout: 0 })),
              "store_lock_timeout",
            );
            const start = clock.now();
            await assertRejects(
              drive(clock, other.lock(ALIAS, never, { timeout: 5_000 })),
              "store_lock_timeout",
            );
            assert.ok(clock.now() - start >= 5_000);
          });
          assert.equal(await other.lock(ALIAS, () => Promise.resolve(1), { timeout: 0 }), 1);
        }
      }),
    );

    it(
      "is waited for 30 seconds where no timeout is named",
      examine(async ({ store, another, clock }) => {
        for (const other of [store, await another?.() ?? store]) {
          await whileHeld(store, async () => {
            const start = clock.now();
            await assertRejects(drive(clock, other.lock(ALIAS, never)), "store_lock_timeout");
            const waited = clock.now() - start;
            assert.ok(waited >= 30_000 && waited < 32_000, `${waited} ms`);
          });
        }
      }),
    );

    it(
      "that is busy is given up when the signal is aborted, with its reason",
      examine(async ({ store, another }) => {
        const reason = new Error("enough");
        const isReason = (error: unknown) => error === reason;
        for (const other of [store, await another?.() ?? store]) {
          await whileHeld(store, async () => {
            const signal = AbortSignal.abort(reason);
            await assert.rejects(other.lock(ALIAS, never, { signal }), isReason);
            const leaving = new AbortController();
            const waiting = other.lock(ALIAS, never, { signal: leaving.signal });
            await settle();
            leaving.abort(reason);
            await assert.rejects(waiting, isReason);
          });
          assert.equal(await other.lock(ALIAS, () => Promise.resolve(1), { timeout: 0 }), 1);
        }
      }),
    );

    it(
      "that is free isn't taken under an aborted signal",
      examine(async ({ store }) => {
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        await assert.rejects(store.lock(ALIAS, never, { signal }), (error) => error === reason);
      }),
    );

    it(
      "is passed on past those who gave up",
      examine(async ({ store, clock }) => {
        const leaving = new AbortController();
        const { signal } = leaving;
        let waiting: Promise<PromiseSettledResult<string>[]>;
        await whileHeld(store, async () => {
          waiting = Promise.allSettled([
            store.lock(ALIAS, never, { signal }),
            store.lock(ALIAS, never, { timeout: 100 }),
            store.lock(ALIAS, () => Promise.resolve("third")),
          ]);
          leaving.abort();
          await clock.advance(100);
        });
        const outcomes = await drive(clock, waiting!);
        assert.deepEqual(outcomes.map(({ status }) => status), [
          "rejected",
          "rejected",
          "fulfilled",
        ]);
      }),
    );
  });
}

/** A binding whose certificate expires so many hours after the tests' time begins. */
async function expiringAfter(hours: number, endpoint: string = ENDPOINT): Promise<StoredBinding> {
  const notBefore = EPOCH - 100 * HOUR;
  const { der } = await issueCertificate({ notBefore, notAfter: EPOCH + hours * HOUR });
  return { certificate: der, endpoint, clientId: CLIENT_ID };
}

/** Gives one binding for all, or one for each who asks. */
function issuer(hours: number, each: boolean = false): () => Promise<StoredBinding> {
  const shared = expiringAfter(hours);
  return () => each ? expiringAfter(hours) : shared;
}

function assertBindings(actual: readonly StoredBinding[], expected: readonly StoredBinding[]) {
  const plain = ({ certificate, endpoint, clientId }: StoredBinding) => ({
    certificate: Array.from<number>(certificate),
    endpoint,
    clientId,
  });
  assert.deepEqual(actual.map(plain), expected.map(plain));
}

async function assertRejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => isKeyboundError(error, code));
}

/** Work that must not run. */
function never(): Promise<string> {
  assert.fail("The work ran without the lock.");
}

/** Runs `work` while the lock is held by somebody else. */
async function whileHeld(store: CertStore, work: () => Promise<void>): Promise<void> {
  await store.lock(ALIAS, work);
}
