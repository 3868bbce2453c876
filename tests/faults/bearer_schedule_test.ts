/**
 * Bearer tokens of two sources while what they answer, and the wire, fail: a schedule that its seed
 * replays.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostAccess } from "../../backends/host/mod.ts";
import { memoryStore } from "../../backends/memory/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { DEFAULT_IDENTITIES, type Emulator, spawnEmulator } from "../../emulator/mod.ts";
import { KeyboundError, type ManagedIdentity, managedIdentity } from "../../mod.ts";
import { bearerTokens } from "../../src/sources/mod.ts";
import { jwtClaims } from "../../src/token/access_token.ts";
import { misbehaviour } from "./support/answers.ts";
import { CuttingProxy } from "./support/cutting_proxy.ts";
import { type Random, seededRandom, seedOfRun } from "./support/random.ts";
import { wireFault } from "./support/schedule.ts";
import { SimulatedClock } from "./support/simulated_clock.ts";

/** Acquisitions of each source. */
const ACQUISITIONS = 300;

/** How many of them fail, or not, before all is well again. */
const EPISODE = 15;

/** 20 requests a second are let through to the metadata service: so long between two steps, ms. */
const PAUSE = 1_000;

/** 8 attempts of 10 s and 7 waits, of an hour each where a server says so. Milliseconds. */
const DEADLINE = 8 * 10_000 + 7 * 3_600_000 * 1.1;

const VARIABLES = {
  imds: ["imdsv1", "AZURE_POD_IDENTITY_AUTHORITY_HOST"],
  appservice: ["appservice", "IDENTITY_ENDPOINT"],
} as const;

type Source = keyof typeof VARIABLES;

/** An identity that finds this source behind a relay. */
async function behindRelay(emulator: Emulator, source: Source, clock: SimulatedClock): Promise<
  { proxy: CuttingProxy; identity: ManagedIdentity }
> {
  const [, variable] = VARIABLES[source];
  const environment: Record<string, string | undefined> = { ...emulator.sources[source] };
  const url = new URL(environment[variable]!);
  const proxy = await CuttingProxy.start(Number(url.port), (ms) => clock.advance(ms));
  url.port = `${proxy.port}`;
  environment[variable] = url.href;
  const host = { ...hostAccess(), exists: () => Promise.resolve(false) };
  const identity = managedIdentity({
    keys: webcryptoKeys(),
    store: memoryStore({ clock }),
    transports: [],
    environment,
    bearer: bearerTokens({ host }),
    clock,
    onEvent: (event) => {
      if (event.type === "retry") clock.announce(event.delay);
    },
  });
  return { proxy, identity };
}

async function play(source: Source, random: Random): Promise<void> {
  const emulator = await spawnEmulator();
  const clock = new SimulatedClock(await emulator.now());
  const { proxy, identity } = await behindRelay(emulator, source, clock);
  const [endpoint] = VARIABLES[source];

  const ask = async (resource: string): Promise<"token" | KeyboundError> => {
    const start = clock.elapsed;
    try {
      const token = await identity.getToken({ resource, binding: "bearer", forceRefresh: true });
      const { cnf, aud, appid } = jwtClaims(token.accessToken) ?? {};
      assert.deepEqual([token.tokenType, token.binding, cnf], ["Bearer", undefined, undefined]);
      assert.deepEqual([aud, appid], [resource, DEFAULT_IDENTITIES[0]!.clientId]);
      assert.ok(token.expiresOn > clock.now());
      return "token";
    } catch (error) {
      if (error instanceof KeyboundError) return error;
      throw error;
    } finally {
      assert.ok(clock.elapsed - start <= DEADLINE);
    }
  };

  try {
    for (let i = 0; i < ACQUISITIONS; i++) {
      await clock.advance(PAUSE);
      if (i % EPISODE === 0) {
        await emulator.unscript();
        proxy.disarm();
        assert.equal(await ask(`https://rest-${i}.example`), "token", "though all is well");
      }
      const times = random.pick([1, 1, 2, 5]);
      const step = { ...misbehaviour(random, "getplatformmetadata"), times };
      if (random.chance(0.5)) await emulator.script(endpoint, step);
      if (random.chance(0.5)) proxy.arm(wireFault(random, "metadata"));
      await ask(random.pick(["https://a.example", "https://b.example", "https://c.example"]));
    }
  } finally {
    await identity.close();
    await proxy.close();
    await emulator.close();
  }
}

const seed = seedOfRun();

describe(`a fault schedule for bearer tokens (KEYBOUND_SEED=${seed} replays it)`, () => {
  for (const source of Object.keys(VARIABLES) as Source[]) {
    const title = `leaves each of ${ACQUISITIONS} calls of ${source} with a token or an error`;
    it(title, { timeout: 110_000 }, () => play(source, seededRandom(seed)));
  }
});
