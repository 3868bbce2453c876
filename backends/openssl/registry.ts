/**
 * What everybody in this thread shares of OpenSSL: its functions, and one provider for as long as
 * somebody needs it.
 *
 * This is the one place of the backend with state of its own. A provider takes 19 of the 8192 function
 * pointers that koffi has for the whole process, and its library context a megabyte: with one each,
 * some hundred agents would be the most that a process could have.
 *
 * @module
 */

import { transportClosed } from "../../src/transport_rules.ts";
import type { Ffi } from "../ffi/mod.ts";
import type { OpensslLibraries } from "./find.ts";
import { cryptoFunctions, sslFunctions } from "./functions.ts";
import { Openssl, type OpensslFunctions } from "./openssl.ts";
import { SigningProvider } from "./provider.ts";
import { Turns } from "./turns.ts";

interface Entry {
  readonly functions: OpensslFunctions;
  readonly turns: Turns;
  provider: SigningProvider | undefined;
  holders: number;
}

const entries = new Map<string, Entry>();

/** Loads libcrypto, then the libssl that goes with it. Throws `key_provider_unavailable`. */
export function loadOpenssl(ffi: Ffi, libraries: OpensslLibraries): Openssl {
  return new Openssl(entryOf(ffi, libraries).functions);
}

/** The provider, for one who must have freed all he made with it when he gives it back. */
export class HeldProvider {
  readonly #openssl: Openssl;
  readonly #entry: Entry;
  #released = false;

  /** Counted as a library of `openssl`, which is one of these libraries. */
  constructor(openssl: Openssl, libraries: OpensslLibraries) {
    this.#openssl = openssl;
    this.#entry = entryOf(openssl.ffi, libraries);
    this.#entry.provider ??= new SigningProvider(new Openssl(this.#entry.functions));
    this.#entry.holders++;
    openssl.count("library", 1);
  }

  /** The provider; throws `closed` when it has been given back. */
  get provider(): SigningProvider {
    if (this.#released || this.#entry.provider === undefined) throw transportClosed();
    return this.#entry.provider;
  }

  /** In which handshakes sign: one signature a turn of the event loop, whoever asks for it. */
  get turns(): Turns {
    return this.#entry.turns;
  }

  /** Gives it back, once; the last one frees it. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#openssl.count("library", -1);
    if (--this.#entry.holders > 0) return;
    this.#entry.provider?.free();
    this.#entry.provider = undefined;
  }
}

function entryOf(ffi: Ffi, { crypto, ssl }: OpensslLibraries): Entry {
  const name = JSON.stringify([crypto, ssl]);
  const known = entries.get(name);
  if (known !== undefined) return known;
  const functions = {
    ffi,
    crypto: cryptoFunctions(ffi.open(crypto)),
    ssl: sslFunctions(ffi.open(ssl)),
  };
  const entry = { functions, turns: new Turns(), provider: undefined, holders: 0 };
  entries.set(name, entry);
  return entry;
}
