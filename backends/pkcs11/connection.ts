/**
 * How a token is found among those of a module, and logged in to.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { CKF, CKR } from "./constants.ts";
import type { Cryptoki, Handle } from "./cryptoki.ts";
import type { Pkcs11Module } from "./module.ts";
import { runElsewhere } from "../ffi/operation.ts";
import type { TokenSource } from "./options.ts";
import { readPin } from "./pin.ts";
import { refusedPins } from "./registry.ts";
import { ReturnCodeError } from "./return_codes.ts";
import { SessionPool } from "./session_pool.ts";
import type { TokenInfo } from "./structs.ts";

/** A token that was found and logged in to. Of no more use when the module's epoch has changed. */
export interface Connection {
  /** The module's epoch that it belongs to. */
  readonly epoch: number;
  /** Where the token is. */
  readonly slot: bigint;
  /** What the token said about itself. */
  readonly info: TokenInfo;
  /** Keeps the login, and signs without a promise: nobody else uses it. */
  readonly anchor: Handle;
  /** The sessions for signatures. */
  readonly pool: SessionPool;
}

/** A token's place and what it says about itself. */
interface Found {
  readonly slot: bigint;
  readonly info: TokenInfo;
}

/** Return codes that say something of the PIN itself. */
const REFUSALS: readonly number[] = [
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.PIN_LOCKED,
];

/**
 * Finds the token and logs in to it. For work in the module's `use`.
 *
 * Rejects with `ReturnCodeError` or `key_provider_unavailable`.
 */
export async function connect(module: Pkcs11Module, source: TokenSource): Promise<Connection> {
  const { epoch, cryptoki } = module;
  const { slot, info } = await findToken(cryptoki, source);
  const anchor = await runElsewhere(cryptoki.openSession(slot, false));
  try {
    if ((info.flags & CKF.LOGIN_REQUIRED) !== 0) {
      await module.loginInTurn(() => logIn(cryptoki, source, slot, anchor));
    }
  } catch (error) {
    await runElsewhere(cryptoki.closeSession(anchor)).catch(() => {});
    throw error;
  }
  const pool = new SessionPool(cryptoki, slot, source.maxSessions);
  return { epoch, slot, info, anchor, pool };
}

/** Closes the sessions of a connection. For work in the module's `use`. */
export async function disconnect(
  { cryptoki }: Pkcs11Module,
  { anchor, pool }: Connection,
): Promise<void> {
  await pool.retire();
  await runElsewhere(cryptoki.closeSession(anchor)).catch(() => {});
}

/** The one token that the URI names. */
async function findToken(cryptoki: Cryptoki, source: TokenSource): Promise<Found> {
  const found: Found[] = [];
  for (const slot of await runElsewhere(cryptoki.slots())) {
    const info = await runElsewhere(cryptoki.tokenInfo(slot)).catch(() => undefined);
    if (info !== undefined && isMeant(source, slot, info)) found.push({ slot, info });
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw new ReturnCodeError("C_GetSlotList", CKR.TOKEN_NOT_PRESENT);
  throw unavailable(
    `${found.length} tokens fit. Name one by 'token', 'serial' or 'slot-id' in the URI.`,
  );
}

function isMeant({ uri }: TokenSource, slot: bigint, info: TokenInfo): boolean {
  const { label, manufacturer, model, serial, flags } = info;
  return (flags & CKF.TOKEN_INITIALIZED) !== 0 &&
    (uri.token ?? label) === label && (uri.manufacturer ?? manufacturer) === manufacturer &&
    (uri.model ?? model) === model && (uri.serial ?? serial) === serial &&
    BigInt(uri.slotId ?? slot) === slot;
}

async function logIn(
  cryptoki: Cryptoki,
  source: TokenSource,
  slot: bigint,
  anchor: Handle,
): Promise<void> {
  if (await runElsewhere(cryptoki.isLoggedIn(anchor))) return;
  const { flags, serial, label } = await runElsewhere(cryptoki.tokenInfo(slot));
  if (source.pin === undefined) {
    if ((flags & CKF.PROTECTED_AUTHENTICATION_PATH) === 0) {
      throw unavailable("It wants a PIN: give 'pin', or a URI with 'pin-source'.");
    }
    return await giveProof(cryptoki, anchor, undefined);
  }
  if ((flags & CKF.USER_PIN_LOCKED) !== 0) throw new ReturnCodeError("C_Login", CKR.PIN_LOCKED);
  if ((flags & CKF.USER_PIN_FINAL_TRY) !== 0) {
    throw unavailable(
      "One more wrong PIN locks it, so none is tried. Log in with its own tool first.",
    );
  }
  const pin = await readPin(source.pin);
  try {
    const token = JSON.stringify([source.modulePath, serial, label]);
    if (refusedPins.has(token, pin)) {
      throw unavailable("It refused this PIN before, so it isn't tried again. Correct the PIN.");
    }
    await giveProof(cryptoki, anchor, pin).catch((error) => {
      const isRefusal = error instanceof ReturnCodeError && REFUSALS.includes(error.returnCode);
      if (isRefusal) refusedPins.add(token, pin);
      throw error;
    });
  } finally {
    pin.fill(0);
  }
}

async function giveProof(
  cryptoki: Cryptoki,
  anchor: Handle,
  pin: Bytes | undefined,
): Promise<void> {
  try {
    await runElsewhere(cryptoki.login(anchor, pin));
  } catch (error) {
    const isDone = error instanceof ReturnCodeError &&
      error.returnCode === CKR.USER_ALREADY_LOGGED_IN;
    if (!isDone) throw error;
  }
}

function unavailable(reason: string): KeyboundError {
  return new KeyboundError(
    "key_provider_unavailable",
    `The PKCS#11 token can't be used. ${reason}`,
  );
}
