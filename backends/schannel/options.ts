/**
 * What transport and agent have in common: their options, and SChannel loaded when it is needed.
 *
 * @module
 */

import process from "node:process";
import type { ClientCredential } from "../../src/credential.ts";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import {
  type InKeyContainer,
  isInKeyContainer,
  isNativeHandle,
  type SigningKey,
} from "../../src/keys.ts";
import { type Ffi, loadFfi, type NativeLibrary, signature } from "../ffi/mod.ts";
import type { VersionRange } from "../http/connections.ts";
import { trustAnchors } from "../http/trust_anchors.ts";
import { wide } from "../ffi/wide_text.ts";
import { certificateFunctions, securityFunctions } from "./functions.ts";
import { usableVersions } from "./protocols.ts";
import { type LiveObjects, Schannel } from "./schannel.ts";
import { ExclusiveRoots } from "./server_trust.ts";
import { SchannelSource } from "./source.ts";

/** What transport and agent have in common. */
export interface SchannelOptions {
  /**
   * PEM certificates of the authorities that servers are verified against, in place of those that
   * the user trusts.
   */
  ca?: string | readonly string[];
}

/** SChannel, loaded when it is needed first; a failure isn't remembered. */
export class LazySchannel {
  readonly #authorities: readonly Bytes[] | undefined;
  #loaded: Promise<Loaded> | undefined;

  /** Nothing is loaded yet. Throws `invalid_pem`. */
  constructor({ ca }: SchannelOptions) {
    this.#authorities = ca === undefined ? undefined : trustAnchors(ca);
  }

  /**
   * Where the engines of a credential come from. Rejects with `transport_not_available`,
   * `missing_dependency`, `unsupported_scheme` or `invalid_certificate`.
   */
  async source({ chain, key }: ClientCredential, range: VersionRange): Promise<SchannelSource> {
    assertAccepted(key);
    const versions = usableVersions(key.schemes, range);
    const { schannel, roots } = await this.#load();
    const chainEngine = roots?.engine ?? 0n;
    // SChannel has one status for many faults; the key itself knows which is its own.
    const confirmKey = async () => {
      if (isNativeHandle(key)) await key.withHandle(() => Promise.resolve());
    };
    const settings = { chain, key: key.keyContainer, confirmKey, versions, chainEngine };
    return new SchannelSource(schannel, settings);
  }

  async #load(): Promise<Loaded> {
    try {
      return await (this.#loaded ??= load(this.#authorities));
    } catch (error) {
      this.#loaded = undefined;
      throw error;
    }
  }

  /**
   * Frees all, connections that are still saying goodbye included; the sources must have been
   * retired. What is held in spite of that: nothing if all is well.
   */
  async close(): Promise<LiveObjects> {
    const loaded = await this.#loaded?.catch(() => undefined);
    if (loaded === undefined) return {};
    const { schannel, roots } = loaded;
    await schannel.close();
    roots?.free();
    return schannel.live;
  }
}

interface Loaded {
  readonly schannel: Schannel;
  readonly roots: ExclusiveRoots | undefined;
}

async function load(authorities: readonly Bytes[] | undefined): Promise<Loaded> {
  const ffi = await loadFfi();
  const schannel = new Schannel({
    ffi,
    security: securityFunctions(openForGood(ffi, "secur32.dll")),
    certificates: certificateFunctions(openForGood(ffi, "crypt32.dll")),
  });
  const roots = authorities === undefined ? undefined : new ExclusiveRoots(schannel, authorities);
  return { schannel, roots };
}

/** `GET_MODULE_HANDLE_EX_FLAG_PIN`. */
const PIN = 1;

/**
 * A library of Windows that stays until the process ends: koffi would unload it with its last
 * function, from under threads that these libraries have of their own.
 */
function openForGood(ffi: Ffi, name: string): NativeLibrary {
  const library = ffi.open(name);
  const pin = ffi.open("kernel32.dll").function(
    "GetModuleHandleExW",
    signature("i32", "u32", "buffer", "buffer"),
  );
  pin(PIN, wide(name), new Uint8Array(8));
  return library;
}

/** Whether SChannel is there and can use this key. */
export function canUse(key: SigningKey): key is SigningKey & InKeyContainer {
  return process.platform === "win32" && key.schemes.length > 0 && isInKeyContainer(key);
}

/** Throws `transport_not_available` where SChannel isn't there or can't use this key. */
export function assertAccepted(key: SigningKey): asserts key is SigningKey & InKeyContainer {
  if (canUse(key)) return;
  throw new KeyboundError(
    "transport_not_available",
    process.platform === "win32"
      ? `Key '${key.id}' isn't one that Windows finds by name, as SChannel has to.`
      : "SChannel is a part of Windows. Use 'opensslTransport' or 'nodeTlsTransport' here.",
  );
}
