/**
 * What a guard is set up with, whatever the HTTP server.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../src/errors.ts";
import type { AccessRules, TokenScheme } from "./authorize.ts";
import { boundTokenVerifier, type VerifyBoundTokenOptions } from "./verify.ts";

/** Options of every guard. */
export interface AccessSettings extends VerifyBoundTokenOptions {
  /** Schemes of the `Authorization` header that are taken. @default ["Bearer"] */
  schemes?: readonly TokenScheme[];
  /** What the challenge calls this protected space. @default the first audience */
  realm?: string;
  /** Told why a token was refused or couldn't be judged; never of the token itself. */
  onRefused?: (code: ErrorCode) => void;
}

/** The settings, checked. Throws `invalid_argument`. */
export function accessRules(settings: AccessSettings): AccessRules {
  const { schemes = ["Bearer"], audience, onRefused = () => {} } = settings;
  const realm = settings.realm ?? [audience].flat()[0] ?? "";
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(realm)) {
    throw new KeyboundError("invalid_argument", "'realm' must be plain text without quotes.");
  }
  if (schemes.length === 0 || !schemes.every((name) => ["Bearer", "mtls_pop"].includes(name))) {
    throw new KeyboundError("invalid_argument", "'schemes' must be 'Bearer', 'mtls_pop' or both.");
  }
  return { verify: boundTokenVerifier(settings), schemes, realm, onRefused };
}
