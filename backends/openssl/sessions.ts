/**
 * TLS sessions of one credential, to be resumed.
 *
 * @module
 */

import type { Openssl } from "./openssl.ts";

const TLS_1_3 = 0x0304;

/** Most servers that a session is kept for. */
const MAX_SESSIONS = 100;

/** Sessions by the server they were made with. */
export class Sessions {
  readonly #openssl: Openssl;
  readonly #sessions = new Map<string, bigint>();
  #closed = false;

  /** None yet. */
  constructor(openssl: Openssl) {
    this.#openssl = openssl;
  }

  /**
   * The session for this server, if there is one; whoever asks owns it. One of TLS 1.3 is given once
   * (RFC 8446 appendix C.4).
   */
  take(server: string | undefined): bigint | undefined {
    const session = server === undefined ? undefined : this.#sessions.get(server);
    if (session === undefined || server === undefined) return undefined;
    if (isSingleUse(this.#openssl, session)) {
      this.#sessions.delete(server);
    } else {
      this.#openssl.ssl.SSL_SESSION_up_ref(session);
      this.#openssl.count("session", 1);
    }
    return session;
  }

  /** Keeps a session, which it owns from now on, in place of the one there was. */
  put(server: string, session: bigint): void {
    if (this.#closed) return freeSession(this.#openssl, session);
    const [oldest] = this.#sessions.keys();
    const previous = this.#sessions.get(server);
    if (previous !== undefined) this.#remove(server, previous);
    else if (this.#sessions.size >= MAX_SESSIONS) {
      this.#remove(oldest!, this.#sessions.get(oldest!)!);
    }
    this.#sessions.set(server, session);
  }

  /** Forgets all, and whatever comes. */
  close(): void {
    this.#closed = true;
    for (const [server, session] of this.#sessions) this.#remove(server, session);
  }

  #remove(server: string, session: bigint): void {
    this.#sessions.delete(server);
    freeSession(this.#openssl, session);
  }
}

/** Gives a session back. */
export function freeSession(openssl: Openssl, session: bigint | undefined): void {
  if (session === undefined) return;
  openssl.ssl.SSL_SESSION_free(session);
  openssl.count("session", -1);
}

/** Whether a session may be resumed once only (RFC 8446 appendix C.4). */
function isSingleUse(openssl: Openssl, session: bigint): boolean {
  return openssl.ssl.SSL_SESSION_get_protocol_version(session) === TLS_1_3;
}
