/**
 * What happens next, on a clock that jumps from event to event.
 *
 * @module
 */

/** Events by time: a binary heap of plain numbers, since there are millions. */
export class Agenda {
  readonly #times: number[] = [];
  readonly #events: number[] = [];

  /** Puts an event, any non-negative integer, at a time. */
  add(time: number, event: number): void {
    const [times, events] = [this.#times, this.#events];
    let place = times.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (times[parent]! <= time) break;
      times[place] = times[parent]!;
      events[place] = events[parent]!;
      place = parent;
    }
    times[place] = time;
    events[place] = event;
  }

  /** Takes every event until `end` in the order of time; `happen` may add more. */
  run(end: number, happen: (time: number, event: number) => void): void {
    while (this.#times.length > 0 && this.#times[0]! < end) {
      const [time, event] = [this.#times[0]!, this.#events[0]!];
      this.#dropFirst();
      happen(time, event);
    }
  }

  #dropFirst(): void {
    const [times, events] = [this.#times, this.#events];
    const [time, event] = [times.pop()!, events.pop()!];
    const size = times.length;
    if (size === 0) return;
    let place = 0;
    while (true) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= time) break;
      times[place] = times[child]!;
      events[place] = events[child]!;
      place = child;
    }
    times[place] = time;
    events[place] = event;
  }
}
