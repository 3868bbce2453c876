/**
 * Where the engines of one client credential come from.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";
import type { VersionRange } from "../http/connections.ts";
import type { EngineTarget, TlsEngine } from "../tls_engine/engine.ts";
import { ClientCertificate } from "./client_certificate.ts";
import { CredentialHandle } from "./credential_handle.ts";
import { SchannelEngine } from "./engine.ts";
import { NativeContext } from "./native_context.ts";
import type { Schannel } from "./schannel.ts";

/** A client, as SChannel knows one. */
export interface ClientSettings {
  /** DER, leaf first. */
  readonly chain: readonly Bytes[];
  readonly key: KeyContainer;
  /** Looks whether the key is still there; rejects with what is wrong with it. */
  readonly confirmKey: () => Promise<void>;
  readonly versions: VersionRange;
  /** The `HCERTCHAINENGINE` that servers are verified by; 0 for the user's own. */
  readonly chainEngine: bigint;
}

/** A credential handle with its certificate, freed when nobody needs it any more. */
class SharedCredential {
  readonly handle: CredentialHandle;
  readonly #certificate: ClientCertificate;
  #users = 1;

  private constructor(certificate: ClientCertificate, handle: CredentialHandle) {
    this.#certificate = certificate;
    this.handle = handle;
  }

  /** Whoever made it is its first user. Rejects with what the key fails with, where it is the key. */
  static async create(schannel: Schannel, settings: ClientSettings): Promise<SharedCredential> {
    try {
      return await SharedCredential.#make(schannel, settings);
    } catch (error) {
      await settings.confirmKey();
      throw error;
    }
  }

  static async #make(schannel: Schannel, settings: ClientSettings): Promise<SharedCredential> {
    const certificate = new ClientCertificate(schannel, settings.chain, settings.key);
    try {
      const { context } = certificate;
      const handle = await CredentialHandle.acquire(schannel, context, settings.versions);
      return new SharedCredential(certificate, handle);
    } catch (error) {
      certificate.free();
      throw error;
    }
  }

  addUser(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users > 0) return;
    this.handle.free();
    this.#certificate.free();
  }
}

/** Engines of one credential. */
export class SchannelSource {
  readonly #schannel: Schannel;
  readonly #settings: ClientSettings;
  /** That of the connections whose sessions are resumed: SChannel keeps sessions by it. */
  #shared: Promise<SharedCredential> | undefined;
  #retired = false;

  /** Nothing is made yet. */
  constructor(schannel: Schannel, settings: ClientSettings) {
    this.#schannel = schannel;
    this.#settings = settings;
  }

  /** A new engine. Rejects where there can be none, before any network. */
  open(target: EngineTarget): Promise<TlsEngine> {
    return this.#schannel.during(() => this.#open(target));
  }

  async #open({ host, session }: EngineTarget): Promise<TlsEngine> {
    const credential = session === undefined
      ? await SharedCredential.create(this.#schannel, this.#settings)
      : await this.#useShared();
    const { chainEngine, versions } = this.#settings;
    const context = new NativeContext(this.#schannel, {
      host,
      credential: credential.handle.handle,
      chainEngine,
      onFree: () => credential.release(),
    });
    return new SchannelEngine(context, versions);
  }

  async #useShared(): Promise<SharedCredential> {
    if (this.#retired) throw retired();
    const made = this.#shared ??= SharedCredential.create(this.#schannel, this.#settings);
    try {
      const credential = await made;
      // It may have been retired meanwhile.
      if (this.#shared !== made) throw retired();
      credential.addUser();
      return credential;
    } catch (error) {
      // A failure isn't remembered.
      if (this.#shared === made) this.#shared = undefined;
      throw error;
    }
  }

  /** Forgets sessions and certificate; engines that are open go on. */
  retire(): void {
    this.#retired = true;
    const shared = this.#shared;
    this.#shared = undefined;
    void this.#schannel.during(async () => await shared?.then((it) => it.release(), () => {}));
  }
}

function retired(): KeyboundError {
  return new KeyboundError("closed", "The credential was retired. Send the request again.");
}
