/**
 * What the connections of one transport stand on: OpenSSL, the provider, the threads.
 *
 * @module
 */

import process from "node:process";
import type { ClientCredential } from "../../src/credential.ts";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { isSyncSigner } from "../../src/keys.ts";
import type { VersionRange } from "../http/connections.ts";
import { usableVersions } from "./context.ts";
import { type FindOptions, loadNative, locate, type OpensslLibraries } from "./find.ts";
import { type EngineSource, InPlaceSource } from "./in_place.ts";
import type { LiveObjects, Openssl } from "./openssl.ts";
import { HeldProvider, loadOpenssl } from "./registry.ts";
import { Workers, WorkerSource } from "./workers.ts";

/** How a key signs during a handshake. */
export type Signing = "auto" | "in-place" | "worker";

/** What all connections have in common. */
export interface RuntimeSettings {
  /** DER of the trust anchors; those of OpenSSL's own directory without. */
  readonly ca: readonly Bytes[] | undefined;
  readonly signing: Signing;
}

/** OpenSSL with all that hangs on it, for one transport or agent. */
export class OpensslRuntime {
  readonly openssl: Openssl;
  readonly workers: Workers;
  readonly #libraries: OpensslLibraries;
  readonly #settings: RuntimeSettings;
  #provider: HeldProvider | undefined;

  private constructor(openssl: Openssl, libraries: OpensslLibraries, settings: RuntimeSettings) {
    this.openssl = openssl;
    this.workers = new Workers(libraries);
    this.#libraries = libraries;
    this.#settings = settings;
  }

  /** Finds and loads OpenSSL. Rejects as `findOpenssl` does. */
  static async load(options: FindOptions, settings: RuntimeSettings): Promise<OpensslRuntime> {
    const ffi = await loadNative();
    const location = locate(ffi, options, process);
    return new OpensslRuntime(loadOpenssl(ffi, location), location, settings);
  }

  /** Where the engines of a credential come from. Throws `unsupported_scheme` and `invalid_argument`. */
  source({ key, chain }: ClientCredential, versions: VersionRange): EngineSource {
    const { ca, signing } = this.#settings;
    const settings = {
      chain,
      spki: key.spki,
      schemes: key.schemes,
      ...usableVersions(key.schemes, versions),
      ...(ca === undefined ? {} : { ca }),
    };
    if (signing !== "worker" && isSyncSigner(key)) {
      this.#provider ??= new HeldProvider(this.openssl, this.#libraries);
      return new InPlaceSource(this.openssl, this.#provider, settings, key);
    }
    if (signing !== "in-place") return new WorkerSource(this.openssl, this.workers, settings, key);
    throw new KeyboundError(
      "invalid_argument",
      `Key '${key.id}' can't sign in place: it has no 'signSync'. Use signing: 'auto'.`,
    );
  }

  /**
   * Frees all, connections that are still saying goodbye included; the sources must have been
   * retired. What is held in spite of that, by this thread and by each worker: nothing if all is
   * well.
   */
  async close(): Promise<readonly LiveObjects[]> {
    for (const connection of this.openssl.connections) connection.free();
    const held = await this.workers.end();
    // With a context there is a connection in the middle of a call of OpenSSL.
    if (this.openssl.live.context === undefined) this.#provider?.release();
    return [this.openssl.live, ...held];
  }
}
