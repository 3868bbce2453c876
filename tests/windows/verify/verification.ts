/**
 * Checks of a verification on Windows: each is told before it begins and when it is over, so that a
 * process that dies in native code is known to have died there.
 *
 * @module
 */

import { isKeyboundError } from "../../../src/errors.ts";
import { TransportError } from "../../../src/transports.ts";
import { StatusError } from "../../../backends/windows/status.ts";

/** What came of a check. `impossible`: this host can't do what it is about. */
export type Outcome = "failed" | "impossible" | "ok";

/** A check that is over. */
export interface Finding {
  readonly section: string;
  readonly check: string;
  readonly outcome: Outcome;
  /** What was seen, with status codes; nothing that names the host or its user. */
  readonly detail: string;
  /** How long it took, in ms. */
  readonly ms: number;
}

/** A line of the program's output. */
export type Line =
  | { readonly begin: { readonly section: string; readonly check: string } }
  | { readonly finding: Finding }
  | { readonly facts: Readonly<Record<string, string>> };

/** Thrown by a check that can't be made on this host; its message says why. */
export class Impossible extends Error {}

/** Milliseconds that a check may take: a TPM needs half a minute for one RSA key. */
const LIMIT = 180_000;

/** How many errors of a chain of causes are told. */
const DEPTH = 4;

/** The checks of one run. */
export class Verification {
  readonly #emit: (line: Line) => void;
  readonly #hidden: readonly RegExp[];
  #section = "";

  /** Lines go to `emit`; texts that are hidden don't. */
  constructor(emit: (line: Line) => void, hidden: readonly string[] = []) {
    this.#emit = emit;
    this.#hidden = hidden.filter((text) => text.length > 2)
      .sort((one, other) => other.length - one.length)
      .map((text) => new RegExp(text.replaceAll(/[^\w]/g, "\\$&"), "gi"));
  }

  /** Makes the checks of a section; what keeps it from its end is a finding as well. */
  async section(name: string, checks: () => Promise<void>): Promise<void> {
    this.#section = name;
    try {
      await checks();
    } catch (error) {
      await this.check("comes to its end", () => Promise.reject(error));
    }
  }

  /** Says what kind of host this is. */
  facts(facts: Readonly<Record<string, string>>): void {
    const entries = Object.entries(facts).map(([name, text]) => [name, this.#withoutHidden(text)]);
    this.#emit({ facts: Object.fromEntries(entries) });
  }

  /** Tells of an error that reached nobody: it would end a program. */
  uncaught(error: unknown): void {
    const check = "no error is left to nobody";
    const detail = this.#withoutHidden(explain(error));
    this.#emit({
      finding: { section: this.#section, check, outcome: "failed", detail, ms: 0 },
    });
  }

  /** Makes a check and tells of it: what `work` gives is the detail. Gives whether it was ok. */
  async check(name: string, work: () => Promise<string>): Promise<boolean> {
    const about = { section: this.#section, check: name };
    this.#emit({ begin: about });
    const start = performance.now();
    const tell = (outcome: Outcome, detail: string) => {
      const ms = Math.round(performance.now() - start);
      this.#emit({ finding: { ...about, outcome, detail: this.#withoutHidden(detail), ms } });
      return outcome === "ok";
    };
    try {
      return tell("ok", await inTime(work()));
    } catch (error) {
      return tell(error instanceof Impossible ? "impossible" : "failed", explain(error));
    }
  }

  #withoutHidden(text: string): string {
    return this.#hidden.reduce((shown, pattern) => shown.replaceAll(pattern, "…"), text);
  }
}

/** Throws with `message` unless it is so. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** An error and its causes, with their codes and statuses, on one line. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at !== undefined && parts.length < DEPTH;) {
    parts.push(one(at));
    at = at instanceof Error && !(at instanceof Impossible) ? at.cause : undefined;
  }
  return parts.join(" <- ").replaceAll(/\s+/g, " ").slice(0, 1_000);
}

function one(error: unknown): string {
  if (error instanceof Impossible || error instanceof StatusError) return error.message;
  if (error instanceof TransportError) {
    const { stage, alert, signals } = error.failure;
    const seen = signals.map(({ code, message }) => code ?? message).join(", ");
    return `${error.code} (${error.verdict.class} at ${stage}${
      alert === undefined ? "" : `, alert ${alert}`
    }: ${seen})`;
  }
  if (isKeyboundError(error)) return `${error.code}: ${error.message}`;
  return String(error);
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not done after ${LIMIT / 1000} s.`)), LIMIT);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
