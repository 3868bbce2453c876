/**
 * Certificates in the token that holds their keys.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import {
  assertAlias,
  assertStorable,
  isExpired,
  isWorthAdding,
  newestFirst,
} from "../../src/store_rules.ts";
import type { CertStore, LockOptions, StoredBinding } from "../../src/stores.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { CKA, CKO } from "./constants.ts";
import type { Handle } from "./cryptoki.ts";
import { assertDistinctHandles } from "./handles.ts";
import type { Pkcs11Options } from "./options.ts";
import { publicKeyTemplate } from "./public_key.ts";
import { storeLocks } from "./registry.ts";
import { toKeyboundError } from "./return_codes.ts";
import {
  certificateObject,
  dataObject,
  dataTemplate,
  entryLabel,
  orphanId,
  readEntry,
  type StoreEntry,
} from "./store_entry.ts";
import { Token, type TokenSession } from "./token.ts";

/** Options of {@linkcode pkcs11Store}. */
export interface Pkcs11StoreOptions extends Pkcs11Options {
  /**
   * Locks among the processes that share the token: PKCS#11 has none. A store of files lends its
   * own: `lock: (...call) => files.lock(...call)`.
   * @default locks among the stores of this process alone
   */
  lock?: CertStore["lock"];
  /** Time. @default the runtime's */
  clock?: Clock;
}

/** A store whose sessions are to be closed. */
export interface Pkcs11CertStore extends CertStore {
  /** Closes the sessions, waiting for what is under way. */
  close(): Promise<void>;
}

/** An entry and the handles of its objects. */
interface Found extends StoreEntry {
  readonly data: Handle;
  readonly certificates: readonly Handle[];
}

/**
 * A certificate store in a token. An entry is a private data object (alias, endpoint, client id)
 * and a certificate object with the `CKA_ID` of its key, for other programs to find.
 *
 * Several processes may use one token. Without a `lock` of theirs they don't keep out of each
 * other's way, and two of them may mint at one time: each is left with a certificate that works.
 * tpm2-pkcs11 shows a process what others have stored only from its next start on.
 *
 * A token has little room, and some take no objects at all: `put` rejects with `store_unavailable`
 * then, and a store of files is what you want.
 *
 * @example
 * ```ts
 * const files = fileStore({ directory: "/var/lib/app/locks" });
 * const store = pkcs11Store({ uri, pin, lock: (...call) => files.lock(...call) });
 * ```
 */
export function pkcs11Store(options: Pkcs11StoreOptions): Pkcs11CertStore {
  return new TokenStore(new Token(options), options);
}

class TokenStore implements Pkcs11CertStore {
  readonly name = "pkcs11";
  readonly #token: Token;
  readonly #clock: Clock;
  readonly #lock: CertStore["lock"];

  constructor(token: Token, { clock = systemClock(), lock }: Pkcs11StoreOptions) {
    this.#token = token;
    this.#clock = clock;
    this.#lock = lock ?? (async (name, work, { signal, timeout } = {}) => {
      const inToken = `${token.name}${name}`;
      return await storeLocks.run(inToken, work, { clock, signal, timeout });
    });
  }

  async list(alias: string): Promise<StoredBinding[]> {
    assertAlias(alias);
    const entries = await this.#attempt((session) => findEntries(session, alias));
    return newestFirst(entries, this.#clock.now()).map(({ binding }) => binding);
  }

  async put(alias: string, binding: StoredBinding): Promise<void> {
    assertAlias(alias);
    assertStorable(binding);
    const { certificate: given, endpoint, clientId } = binding;
    const certificate = parseCertificate(given);
    const copy = { certificate: certificate.der, endpoint, clientId };
    await this.#attempt(async (session) => {
      const entries = await findEntries(session, alias);
      const now = this.#clock.now();
      if (!isWorthAdding(certificate, entries, now)) return;
      await addEntry(session, alias, copy, certificate);
      await session.run(assertDistinctHandles(session));
      await removeEntries(session, entries.filter((entry) => isExpired(entry, now)));
    }, { writable: true });
  }

  async evict(alias: string): Promise<number> {
    assertAlias(alias);
    return await this.#attempt(async (session) => {
      const { length } = await findEntries(session, alias);
      await destroyAll(session, [
        ...await find(session, CKO.DATA, dataTemplate(alias)),
        ...await find(session, CKO.CERTIFICATE, [entryLabel(alias)]),
      ]);
      return length;
    }, { writable: true });
  }

  async lock<T>(alias: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
    assertAlias(alias);
    return await this.#lock(alias, work, options);
  }

  close(): Promise<void> {
    return this.#token.close();
  }

  async #attempt<T>(
    work: (session: TokenSession) => Promise<T>,
    options: { writable?: boolean } = {},
  ): Promise<T> {
    try {
      return await this.#token.run(work, options);
    } catch (error) {
      const { subject } = this.#token;
      const failure = toKeyboundError(error, subject, "store_unavailable");
      if (!isKeyboundError(failure, "key_provider_unavailable")) throw failure;
      const { message, retryable } = failure;
      throw new KeyboundError("store_unavailable", message, { cause: failure, retryable });
    }
  }
}

async function find(
  { cryptoki, session, run }: TokenSession,
  objectClass: number,
  template: Parameters<typeof cryptoki.find>[1],
): Promise<Handle[]> {
  return await run(cryptoki.find(session, [cryptoki.ofClass(objectClass), ...template]));
}

/** The entries of the alias that are whole. */
async function findEntries(session: TokenSession, alias: string): Promise<Found[]> {
  const { cryptoki, run } = session;
  const read = (object: Handle) => run(cryptoki.attribute(session.session, object, CKA.VALUE));
  const certificates = new Map<Handle, Bytes>();
  for (const handle of await find(session, CKO.CERTIFICATE, [entryLabel(alias)])) {
    const value = await read(handle);
    if (value !== undefined) certificates.set(handle, value);
  }
  const entries: Found[] = [];
  for (const data of await find(session, CKO.DATA, dataTemplate(alias))) {
    const content = await read(data);
    const entry = content && readEntry(alias, content, [...certificates.values()]);
    if (!entry) continue;
    const own = [...certificates].filter(([, der]) => equalBytes(der, entry.binding.certificate));
    entries.push({ ...entry, data, certificates: own.map(([handle]) => handle) });
  }
  return entries;
}

/** The certificate first: without the data object it is nobody's, and in nobody's way. */
async function addEntry(
  session: TokenSession,
  alias: string,
  binding: StoredBinding,
  certificate: Certificate,
): Promise<void> {
  const { cryptoki, run } = session;
  const number = (value: number) => cryptoki.number(value);
  const id = await keyIdOf(session, certificate) ?? orphanId(certificate);
  const added = await run(cryptoki.createObject(session.session, [
    cryptoki.ofClass(CKO.CERTIFICATE),
    ...certificateObject(alias, certificate, id, number),
  ]));
  try {
    await run(cryptoki.createObject(session.session, [
      cryptoki.ofClass(CKO.DATA),
      ...dataObject(alias, binding),
    ]));
  } catch (error) {
    await run(cryptoki.destroyObject(session.session, added)).catch(() => {});
    throw error;
  }
}

async function removeEntries(session: TokenSession, entries: readonly Found[]): Promise<void> {
  await destroyAll(session, entries.flatMap(({ data, certificates }) => [data, ...certificates]));
}

async function destroyAll(session: TokenSession, handles: readonly Handle[]): Promise<void> {
  const { cryptoki, run } = session;
  for (const handle of handles) await run(cryptoki.destroyObject(session.session, handle));
}

/** The `CKA_ID` of the certificate's key, where the token has it. */
async function keyIdOf(session: TokenSession, { spki }: Certificate): Promise<Bytes | undefined> {
  const { cryptoki, run } = session;
  const [key] = await find(session, CKO.PUBLIC_KEY, publicKeyTemplate(spki));
  if (key === undefined) return undefined;
  const id = await run(cryptoki.attribute(session.session, key, CKA.ID));
  return id?.length ? id : undefined;
}
