/**
 * Which token, of which module, and how to log in to it.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { pinFile, type PinSource } from "./pin.ts";
import { parsePkcs11Uri, type Pkcs11Uri } from "./uri.ts";

/** What every part of this backend is told. */
export interface Pkcs11Options {
  /**
   * The token, and with `module-path` and `pin-source` also its module and PIN: a `pkcs11:` URI
   * (RFC 7512). It has to fit one token.
   * @default the only token of the module
   */
  uri?: string;
  /** Absolute path of the module, over the URI's `module-path`. */
  module?: string;
  /**
   * Gives the user's PIN whenever the token wants one, over the URI's `pin-source`. What it gives
   * is not kept; a PIN that the token refuses is never tried again in this process.
   */
  pin?: PinSource;
  /** Most sessions that are open for signatures at one time. @default 8 */
  maxSessions?: number;
}

/** The options, checked. */
export interface TokenSource {
  readonly uri: Pkcs11Uri;
  readonly modulePath: string;
  readonly pin: PinSource | undefined;
  readonly maxSessions: number;
}

const DEFAULT_SESSIONS = 8;
const MAX_SESSIONS = 1024;

/** The options, checked; throws `invalid_argument`. */
export function parseOptions(options: Pkcs11Options): TokenSource {
  const uri = options.uri === undefined ? {} : parsePkcs11Uri(options.uri);
  const modulePath = options.module ?? uri.modulePath;
  if (modulePath === undefined || !/^(\/|[A-Za-z]:[\\/])/.test(modulePath)) {
    throw invalid(
      "Name the PKCS#11 module by its absolute path, in 'module' or as 'module-path' in the URI.",
    );
  }
  const { maxSessions = DEFAULT_SESSIONS } = options;
  if (!Number.isInteger(maxSessions) || maxSessions < 1 || maxSessions > MAX_SESSIONS) {
    throw invalid(`'maxSessions' is a whole number from 1 to ${MAX_SESSIONS}.`);
  }
  const pin = options.pin ?? (uri.pinSource === undefined ? undefined : pinFile(uri.pinSource));
  return { uri, modulePath, pin, maxSessions };
}

function invalid(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
