/**
 * Thousands of acquisitions while everything fails that can: a schedule that its seed replays.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { schedule } from "./support/schedule.ts";
import { seededRandom, seedOfRun } from "./support/random.ts";
import { Simulation } from "./support/simulation.ts";
import { World } from "./support/world.ts";

/** Acquisitions a run. */
const ACQUISITIONS = 2_000;

/** For a busy machine, milliseconds; on an idle one it takes a fifth. */
const LONG = { timeout: 110_000 };

const seed = seedOfRun();

describe(`a fault schedule (KEYBOUND_SEED=${seed} replays it)`, () => {
  it(
    `leaves each of ${ACQUISITIONS} acquisitions with a token of its own or an error`,
    LONG,
    async () => {
      const world = await World.start(seededRandom(seed + 1));
      try {
        const simulation = new Simulation(world);
        await simulation.rest();
        const episodes = schedule(seededRandom(seed), world.clients.length);
        while (simulation.acquisitions < ACQUISITIONS) {
          await simulation.play(episodes.next().value);
        }
        const kinds = [...simulation.outcomes.keys()];
        assert.ok(kinds.includes("token") && kinds.length > 10, `too few ways to end: ${kinds}`);
      } finally {
        await world.close();
      }
    },
  );
});
