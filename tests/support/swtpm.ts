/**
 * A TPM 2 in software, and a token of tpm2-pkcs11 on it, for the tests of one file.
 *
 * @module
 */

import process from "node:process";
import {
  createTpmToken,
  type Token,
  tpm2Library,
  type TpmSwitch,
} from "../../scripts/lib/tokens.mjs";
import { setEnvironment } from "./native_environment.ts";

/**
 * A new token that the module finds when it is loaded next, or `undefined` where what it takes
 * isn't installed and this is no build server.
 */
export async function softwareTpm(): Promise<(Token & TpmSwitch) | undefined> {
  if (tpm2Library() === undefined && process.env["CI"] !== "true") return undefined;
  const token = await createTpmToken();
  await setEnvironment(token.env);
  return token;
}
