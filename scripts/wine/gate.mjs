/**
 * The tests under Wine as a part of `npm test` on a build server, and what `npm test` says of the
 * Windows backends: how far each thing that was shown reaches.
 *
 * @module
 */

import process from "node:process";
import { CI } from "../lib/project.mjs";
import { closingLine, sum } from "../lib/tally.mjs";
import { say } from "../lib/terminal.mjs";
import { lockWine } from "./lock.mjs";
import { setUpWine } from "./setup.mjs";
import { runWineSuite, TIERS, wineTestFiles } from "./suite.mjs";

/** @typedef {import("../lib/tally.mjs").Tally} Tally */
/** @typedef {import("./suite.mjs").WineResult} WineResult */

/** Folders whose tests run on simulated functions of Windows, or on none. */
const ON_THIS_HOST = ["tests/windows/", "tests/schannel/"];

/**
 * Sets Wine up in the background, which is downloading for the most part, and gives what runs the
 * tests then. `undefined` where `npm test` leaves them out: on a user's machine, and on systems that
 * have no Wine. A build server that could have it and hasn't fails.
 *
 * @param {number} timeout milliseconds that a file may take
 * @returns {(() => Promise<WineResult>) | undefined}
 */
export function startWine(timeout) {
  if (!CI || process.platform !== "linux" || process.arch !== "x64") return undefined;
  const ready = lockWine().then(async (release) => {
    const all = await setUpWine().catch((error) => {
      release();
      throw error;
    });
    return { all, release };
  });
  // Who runs the tests is told.
  ready.catch(() => {});
  return async () => {
    try {
      const { all, release } = await ready;
      return await runWineSuite(all, wineTestFiles([]), { all, timeout }).finally(release);
    } catch (error) {
      say(`\n----- Wine\n${error instanceof Error ? error.message : error}\n-----\n`);
      const tally = { passed: 0, failed: 1, skipped: 0 };
      return { tiers: [{ title: "Wine", tally }], failed: ["Wine: set-up"], skipped: [] };
    }
  };
}

/**
 * One line a tier: what was shown of the Windows backends, and by what.
 *
 * @param {readonly { file: string, tally: Tally }[]} results of the suite on this host
 * @param {WineResult | undefined} wine
 */
export function windowsTiers(results, wine) {
  const here = results.filter(({ file }) => ON_THIS_HOST.some((folder) => file.startsWith(folder)));
  /** @type {[title: string, outcome: string][]} */
  const lines = [
    ["on this host, simulated functions", closingLine(sum(here.map(({ tally }) => tally)))],
    ...TIERS.map(({ title }) => /** @type {[string, string]} */ ([
      title === "Wine" ? "Wine 10" : `Wine 10, ${title}`,
      outcomeOf(wine, title),
    ])),
    ["Windows itself", "not verified: see the README (npm run verify:windows)"],
  ];
  return [
    "Windows backends",
    ...lines.map(([title, outcome]) => `  ${title.padEnd(35)}${outcome}`),
  ];
}

/**
 * @param {WineResult | undefined} wine
 * @param {string} title
 */
function outcomeOf(wine, title) {
  if (wine === undefined) return "not run here: npm run test:wine";
  const tier = wine.tiers.find((other) => other.title === title);
  return tier === undefined ? "not run" : closingLine(tier.tally);
}
