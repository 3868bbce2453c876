/**
 * The package jose, loaded when the first token is verified.
 *
 * @module
 */

import { KeyboundError } from "../src/errors.ts";

/** Loads it; rejects with `missing_dependency` that says what to install. */
export async function loadJose(): Promise<typeof import("jose")> {
  try {
    return await import("jose");
  } catch (cause) {
    throw new KeyboundError(
      "missing_dependency",
      "Verifying tokens needs one more package: npm install jose.",
      { cause },
    );
  }
}
