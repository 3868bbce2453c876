/**
 * The records that arrive on a socket, one at a time.
 *
 * @module
 */

import type { Socket } from "node:net";
import { RecordReader, type TlsRecord } from "./records.ts";

/** Reads a socket record by record. */
export class RecordSource {
  readonly #reader = new RecordReader();
  readonly #records: TlsRecord[] = [];
  #ended = false;
  #wake: () => void = () => {};

  /** Takes over what this socket receives. */
  constructor(socket: Socket) {
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("data", (chunk: Uint8Array) => {
      if (this.#ended) return;
      try {
        this.#records.push(...this.#reader.push(chunk));
        this.#wake();
      } catch {
        end(); // not TLS: as good as nothing more to come
      }
    });
    socket.on("end", end).on("close", end);
  }

  /** The next record, or `undefined` when none will come. */
  async next(): Promise<TlsRecord | undefined> {
    while (this.#records.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#records.shift();
  }
}
