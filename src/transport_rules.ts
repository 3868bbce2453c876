/**
 * What every transport decides alike (the port: `transports.ts`).
 *
 * @module
 */

import { KeyboundError } from "./errors.ts";

/** Throws `invalid_argument` for a request that doesn't go over https. */
export function assertHttps({ url }: Request): void {
  const { protocol } = new URL(url);
  if (protocol === "https:") return;
  throw new KeyboundError(
    "invalid_argument",
    `A client certificate is presented over https only, not '${protocol}'.`,
  );
}

/** What a request to a closed transport fails with. */
export function transportClosed(): KeyboundError {
  return new KeyboundError("closed", "The transport was closed. Make a new one.");
}
