/**
 * What the doctor finds.
 *
 * @module
 */

import type { ExitCode } from "../command.ts";

/**
 * `ok`: works. `info`: worth knowing, nothing to do. `warning`: works, and something should be done.
 * `failure`: doesn't work.
 */
export type Verdict = "ok" | "info" | "warning" | "failure";

/** One line of the doctor's report. */
export interface Finding {
  /** What was looked at. */
  readonly check: string;
  /** How it is. */
  readonly verdict: Verdict;
  /** What was seen; never a secret. */
  readonly detail: string;
  /** What to do; empty where there is nothing to do. */
  readonly advice: string;
}

const EXIT_CODES: Readonly<Record<Verdict, ExitCode>> = { ok: 0, info: 0, warning: 1, failure: 2 };

/** The exit code for these findings: that of the worst. */
export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  const codes = findings.map(({ verdict }) => EXIT_CODES[verdict]);
  return codes.reduce((worst, code) => code > worst ? code : worst, 0);
}

/** Makes a finding; advice where there is something to do. */
export function finding(
  check: string,
  verdict: Verdict,
  detail: string,
  advice = "",
): Finding {
  return { check, verdict, detail, advice };
}
