/**
 * Ten thousand hosts for thirty days: the highest number of requests a second at who issues the
 * certificates, by this library's rules and by a renewal 24 h before expiry. Time is virtual, the
 * same seed gives the same figures everywhere; the drawing goes to `docs/fleet.svg`.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { plotFleet } from "./support/fleet/plot.ts";
import { FIXED, OURS, OURS_ON_TIME } from "./support/fleet/rules.ts";
import {
  type FleetPlan,
  type Requests,
  simulateFleet,
  type Span,
} from "./support/fleet/simulate.ts";
import { Report } from "./support/report.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const plan: FleetPlan = {
  seed: 8705,
  hosts: 10_000,
  identities: 4,
  duration: 30 * DAY,
  certificateLifetime: 7 * DAY,
  tokenLifetime: DAY,
  rollOut: { from: 0, until: 3 * DAY },
  outage: { from: 13 * DAY, until: 13 * DAY + 2 * HOUR },
  reboot: { from: 18 * DAY, until: 18 * DAY + 10 * MINUTE },
};
const { duration, rollOut, outage, reboot } = plan;
/** What the 30 days consist of. */
const phases: readonly (readonly [name: string, span: Span, atMost?: number])[] = [
  ["roll-out", rollOut],
  ["after the roll-out", { from: rollOut.until, until: outage.from }],
  ["outage and an hour", { from: outage.from, until: outage.until + HOUR }],
  ["after the outage", { from: outage.until + HOUR, until: reboot.from }, 0.5],
  ["reboot", { from: reboot.from, until: reboot.until + HOUR }],
  ["after the reboot", { from: reboot.until + HOUR, until: duration }, 0.5],
];

const report = new Report();
const [ours, onTime, fixed] = [OURS, OURS_ON_TIME, FIXED].map((rules) =>
  simulateFleet(plan, rules)
);
for (const [name, span, atMost] of phases) {
  const bench = `fleet, ${name}`;
  const [peer, peerName, unit] = [peak(fixed!, span), FIXED.name, "requests/s"];
  const aim = atMost === undefined ? {} : { target: { atMost } };
  report.tell({ bench, ours: peak(ours!, span), peer, peerName, unit, ...aim });
  const timer = { bench: `${bench}, by a timer`, ours: peak(onTime!, span) };
  report.tell({ ...timer, peer, peerName, unit });
}
const svg = plotFleet([
  { name: FIXED.name, color: "#b3402e", requests: fixed! },
  { name: OURS.name, color: "#1f5fa8", requests: ours! },
  { name: OURS_ON_TIME.name, color: "#2e8b57", requests: onTime! },
], [{ name: "outage", span: outage }, { name: "reboot", span: reboot }]);
await writeFile(new URL("../docs/fleet.svg", import.meta.url), svg);
report.finish();

/** The highest second of a span. */
function peak(requests: Requests, { from, until }: Span): number {
  return requests.subarray(from / 1000, until / 1000).reduce((most, n) => Math.max(most, n), 0);
}
