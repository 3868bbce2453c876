/**
 * A host's capabilities, found once for all who ask.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { KeyboundError } from "../errors.ts";
import { SingleFlight } from "../single_flight.ts";
import type { Capabilities, CapabilitiesOptions } from "./source.ts";

/** Milliseconds that a caller waits where nothing else is said. */
const DEFAULT_DEADLINE = 1000;

/** Milliseconds for which it is believed that there is nothing. */
export const NEGATIVE_LIFE = 60_000;

interface Negative {
  readonly answer: Capabilities;
  /** When it was found. */
  readonly since: number;
  /** The patience it was found with: who has more asks again. */
  readonly deadline: number;
}

/** Remembers what was found. */
export class CapabilitiesCache {
  readonly #clock: Clock;
  readonly #flights = new SingleFlight<Capabilities>();
  #found: Capabilities | undefined;
  #negative: Negative | undefined;

  /** Nothing found yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is remembered. */
  get known(): Capabilities | undefined {
    return this.#found ?? this.#believed(DEFAULT_DEADLINE);
  }

  /**
   * What is remembered, or what `discover` gives, which all who ask at the same time share. Rejects
   * with the signal's reason, `invalid_argument` for a deadline that is none, or whatever
   * `discover` rejects with; a deadline that passes is an answer.
   */
  async get(
    discover: (signal: AbortSignal) => Promise<Capabilities>,
    { deadline = DEFAULT_DEADLINE, signal }: CapabilitiesOptions,
  ): Promise<Capabilities> {
    signal?.throwIfAborted();
    if (!Number.isInteger(deadline) || deadline < 1 || deadline > 2 ** 31 - 1) {
      throw new KeyboundError(
        "invalid_argument",
        "'deadline' must be an integer from 1 to 2^31-1.",
      );
    }
    const known = this.#found ?? this.#believed(deadline);
    if (known !== undefined) return known;
    const late = new DOMException("Discovery took too long.", "TimeoutError");
    const work = (either: AbortSignal) => this.#flights.run("", discover, either);
    try {
      return this.#keep(await withDeadline(work, deadline, late, this.#clock, signal), Infinity);
    } catch (error) {
      if (error !== late) throw error;
      const reason = `There was no answer from the metadata service within ${deadline} ms.`;
      return this.#keep({ boundTokens: false, reason, strength: "none" }, deadline);
    }
  }

  #keep(answer: Capabilities, deadline: number): Capabilities {
    if (answer.source !== undefined) this.#found = answer;
    else this.#negative = { answer, since: this.#clock.now(), deadline };
    return answer;
  }

  #believed(deadline: number): Capabilities | undefined {
    const negative = this.#found === undefined ? this.#negative : undefined;
    if (negative === undefined || deadline > negative.deadline) return undefined;
    const age = this.#clock.now() - negative.since;
    // From the future it is where the clock has been put back.
    return age >= 0 && age < NEGATIVE_LIFE ? negative.answer : undefined;
  }
}
