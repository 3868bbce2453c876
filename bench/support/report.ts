/**
 * What a benchmark says: lines for people, or with `--json` one JSON object a line.
 *
 * @module
 */

import process from "node:process";

/** What was measured of ours and of what it is compared with. */
export interface Figure {
  /** Name of the measurement: words, the same in every run. */
  readonly bench: string;
  /** Ours. */
  readonly ours: number;
  /** The other's, measured in the same run, or a budget. */
  readonly peer: number;
  /** Who or what that is. */
  readonly peerName: string;
  /** Of both. */
  readonly unit: string;
  /** Bounds on ours over the other's; the run fails outside them. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
}

const { bun, deno, node } = process.versions;
const asJson = process.argv.includes("--json");

/** The runtime that measures, with its version. */
export const runtime: string = bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`;

/** Writes figures down and knows whether any missed its target. */
export class Report {
  #missed = false;

  /** One figure. */
  tell({ bench, ours, peer, peerName, unit, target }: Figure): void {
    const ratio = ours / peer;
    const bound = target && ("atMost" in target ? target.atMost : target.atLeast);
    const met = target === undefined ||
      ("atMost" in target ? ratio <= target.atMost : ratio >= target.atLeast);
    this.#missed ||= !met;
    if (asJson) {
      console.log(JSON.stringify({
        bench: bench.toLowerCase().replaceAll(/[ ,]+/g, "-"),
        runtime,
        ours: rounded(ours),
        peer: rounded(peer),
        peerName,
        unit,
        ratio: rounded(ratio),
        ...(bound === undefined ? {} : { target: bound }),
      }));
      return;
    }
    const figures = `${shown(ours)} ${unit}, ${peerName} ${shown(peer)} ${unit}`;
    const kind = target !== undefined && "atMost" in target ? "at most" : "at least";
    const aim = bound === undefined ? "" : ` (${kind} ${bound}${met ? "" : ": MISSED"})`;
    console.log(`${bench.padEnd(34)} ${figures}  ratio ${shown(ratio)}${aim}`);
  }

  /** A remark; not part of the JSON. */
  note(text: string): void {
    if (!asJson) console.log(text);
  }

  /** Makes the process end with an error where a target was missed. */
  finish(): void {
    process.exitCode = this.#missed ? 1 : 0;
  }
}

/** Four digits that count; what is counted, whole. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}

function shown(value: number): string {
  return rounded(value).toLocaleString("en", { maximumFractionDigits: 4 });
}
