/**
 * A SoftHSM token for the tests of one file.
 *
 * @module
 */

import process from "node:process";
import { createSoftHsmToken, softhsmLibrary, type Token } from "../../scripts/lib/tokens.mjs";
import { setEnvironment } from "./native_environment.ts";

/**
 * A new token that the module finds when it is loaded next, or `undefined` where SoftHSM isn't
 * installed and this is no build server.
 */
export async function softHsm(): Promise<Token | undefined> {
  if (softhsmLibrary() === undefined && process.env["CI"] !== "true") return undefined;
  const token = await createSoftHsmToken();
  await setEnvironment(token.env);
  return token;
}
