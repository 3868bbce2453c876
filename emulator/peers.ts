/**
 * The optional packages that the emulator stands on.
 *
 * @module
 */

import { KeyboundError } from "../src/errors.ts";

/** jose, for JSON Web Tokens, and \@peculiar/x509, for certificates and requests. */
export interface Peers {
  readonly jose: typeof import("jose");
  readonly x509: typeof import("@peculiar/x509");
}

/** Loads them; rejects with `missing_dependency` that says what to install. */
export async function loadPeers(): Promise<Peers> {
  try {
    // @peculiar/x509 throws at import without the metadata polyfill in place.
    await import("reflect-metadata");
    const [jose, x509] = await Promise.all([import("jose"), import("@peculiar/x509")]);
    return { jose, x509 };
  } catch (cause) {
    throw new KeyboundError(
      "missing_dependency",
      "The emulator needs three more packages: npm install jose @peculiar/x509 reflect-metadata.",
      { cause },
    );
  }
}
