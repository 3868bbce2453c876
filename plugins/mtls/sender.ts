/**
 * Requests over mutual TLS with the credential to use now: what plugins for other libraries that
 * speak HTTP have in common.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { CredentialSource } from "../../src/rfc8705/options.ts";
import type { MtlsTransport, TlsVersion } from "../../src/transports.ts";
import { assertCredentialSource, currentCredential } from "./credential.ts";

/** What a {@linkcode MtlsSender} is made of. */
export interface MtlsSettings {
  /**
   * The client's certificate with its key. A function is called once a request: what it gives is
   * presented from then on, and connections made with the one before are dropped.
   */
  credential: CredentialSource;
  /** How TLS with such a key is done, best first; `detect()` gives them. */
  transports: readonly MtlsTransport[];
  /** Highest TLS version to offer. @default "TLSv1.3" */
  tlsVersion?: TlsVersion;
  /** Time. @default the runtime's */
  clock?: Clock;
}

/** Sends requests, each with a certificate or not at all. */
export class MtlsSender {
  readonly #source: CredentialSource;
  readonly #transports: readonly MtlsTransport[];
  readonly #tlsVersion: TlsVersion;
  readonly #clock: Clock;
  #thumbprint: string | undefined;

  /** Throws `invalid_argument` for settings that can't be right. */
  constructor(settings: MtlsSettings) {
    const { credential, transports, tlsVersion = "TLSv1.3", clock = systemClock() } = settings;
    assertCredentialSource(credential);
    if (!Array.isArray(transports) || transports.length === 0) {
      throw new KeyboundError(
        "invalid_argument",
        "'transports' must be given: what does the TLS. detect() has them.",
      );
    }
    this.#source = credential;
    this.#transports = transports;
    this.#tlsVersion = tlsVersion;
    this.#clock = clock;
  }

  /**
   * The answer, redirects included. The request's signal ends it, the body included.
   *
   * Rejects with `invalid_argument` for a URL that isn't https, `invalid_certificate` for a
   * certificate that isn't in force, `transport_not_available` where no transport takes its key, and
   * as `MtlsTransport.fetch` does.
   */
  async send(request: Request): Promise<Response> {
    const credential = await this.#current();
    const transport = this.#transports.find((candidate) => candidate.accepts(credential.key));
    if (transport === undefined) {
      throw new KeyboundError(
        "transport_not_available",
        `No transport takes key '${credential.key.id}'. Pass one of its backend.`,
      );
    }
    return await transport.fetch(request, credential, { maxVersion: this.#tlsVersion });
  }

  async #current(): Promise<ClientCredential> {
    const credential = await currentCredential(this.#source, this.#clock.now());
    const { thumbprint } = credential;
    const last = this.#thumbprint;
    this.#thumbprint = thumbprint;
    if (last !== undefined && last !== thumbprint) {
      for (const transport of this.#transports) transport.retire(last);
    }
    return credential;
  }
}
