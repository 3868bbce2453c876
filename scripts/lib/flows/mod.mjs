/**
 * What the demo can show.
 *
 * @module
 */

import * as azureSdk from "./azure_sdk.mjs";
import * as federation from "./federation.mjs";
import * as managedIdentity from "./managed_identity.mjs";
import * as rfc8705 from "./rfc8705.mjs";

/**
 * @typedef {object} Flow
 * @property {string} program its file in `demo/`
 * @property {boolean} usesEmulator whether Azure is to be played
 * @property {boolean} takesBackend whether its key can be in a token
 * @property {(told: any) => string[]} linesOf how a line of its output is shown
 * @property {(result: any) => boolean} isGood whether a result is what it should be
 */

/**
 * By the name that `--flow` takes.
 *
 * @type {Readonly<Record<string, Flow>>}
 */
export const FLOWS = {
  "managed-identity": managedIdentity,
  federation,
  rfc8705,
  "azure-sdk": azureSdk,
};
