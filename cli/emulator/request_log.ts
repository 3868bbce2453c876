/**
 * The requests that an emulator gets, as they come.
 *
 * @module
 */

import type { RequestRecord } from "../../emulator/traffic.ts";
import type { Emulator } from "../../emulator/types.ts";
import { type Colour, type Paint, plainText } from "../style.ts";

/** Milliseconds between two looks. */
const INTERVAL = 200;

/** Milliseconds after which a request without an answer is told of as it is. */
const PATIENCE = 5000;

/**
 * Tells of each request once, in their order, until the signal ends it; of one without an answer, once
 * it has waited for 5 s. Rejects when the emulator is gone.
 */
export async function followRequests(
  emulator: Pick<Emulator, "counts" | "requests">,
  tell: (record: RequestRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  let told = 0;
  let seen = "";
  const look = async (isLast: boolean) => {
    // Counts are a small answer; the records are asked for only when there is something new.
    const counts = JSON.stringify(await emulator.counts());
    if (counts === seen) return;
    const records = await emulator.requests();
    for (const record of records) {
      if (record.sequence <= told) continue;
      const isPending = record.status === null && record.step === null;
      if (isPending && !isLast && Date.now() - record.time < PATIENCE) return;
      tell(record);
      told = record.sequence;
    }
    seen = counts;
  };
  while (!signal.aborted) {
    await look(false);
    await pause(INTERVAL, signal);
  }
  // What came last. A child that ends with us may be gone already.
  await look(true).catch(() => {});
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** A request in one line. */
export function requestLine(record: RequestRecord, paint: Paint): string {
  const { time, endpoint, method, path, status, step, thumbprint, authorizationScheme } = record;
  const clock = new Date(time).toISOString().slice(11, 23);
  const answer = paint(statusColour(status), String(status ?? "---").padEnd(4));
  const remarks = [
    authorizationScheme,
    thumbprint && `certificate ${thumbprint.slice(0, 8)}`,
    step && `scripted: ${step}`,
  ].filter(Boolean).join(", ");
  const request = plainText(`${method} ${path}`);
  return `${paint("dim", clock)}  ${answer}${endpoint.padEnd(21)}${request}` +
    (remarks === "" ? "" : `  ${paint("dim", plainText(remarks))}`);
}

/** The colour of an HTTP status. */
export function statusColour(status: number | null): Colour {
  if (status === null || status >= 500) return "red";
  return status >= 400 ? "yellow" : "green";
}
