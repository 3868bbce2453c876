/**
 * The best backends of this host: what {@linkcode managedIdentity} is given.
 *
 * @module
 */

import process from "node:process";
import type { Attestor } from "../src/attestation.ts";
import { KeyboundError } from "../src/errors.ts";
import type { Host } from "../src/managed_identity_options.ts";
import { bearerTokens } from "../src/sources/bearer.ts";
import type { Environment, ManagedIdentitySources } from "../src/sources/source.ts";
import type { KeyBackends } from "./detect/key_backends.ts";
import { softwareBackends } from "./detect/software.ts";
import { tokenBackends } from "./detect/token.ts";
import { windowsBackends } from "./detect/windows.ts";
import { directFetch } from "./host/direct_fetch.ts";
import { hostEnvironment } from "./host/environment.ts";
import { hostAccess } from "./host/mod.ts";
import { memoryStore } from "./memory/mod.ts";
import { nodeTlsTransport } from "./node_tls/mod.ts";
import type { Pkcs11Options } from "./pkcs11/mod.ts";
import type { WindowsKeysOptions } from "./windows/mod.ts";

/** Options of {@linkcode detect}. */
export interface DetectOptions {
  /**
   * Absolute path of a directory for certificates and software keys, made with mode 0700 where it
   * isn't there. Processes that share it share one key and one certificate an identity, also from
   * one run to the next. @default none: certificates are in the store of Windows with its keys, else
   * both live in memory and are made anew at each start
   */
  directory?: string;
  /**
   * The HSM, TPM or smart card that keys are in. @default the token that the environment variable
   * `KEYBOUND_PKCS11_URI` names; without it, keys of Windows on Windows, else software keys
   */
  pkcs11?: Pkcs11Options;
  /**
   * Keys of Windows (CNG): which, `true` for the strongest that the host makes, `false` for software
   * keys instead. Asked for, they are never replaced by others.
   * @default on Windows, the strongest that the host makes, if native functions can be called
   */
  windows?: WindowsKeysOptions | boolean;
  /** PEM of the CAs that servers are verified against, in place of the runtime's. */
  ca?: string;
  /**
   * Environment variables.
   * @default those of the process that name a source of managed identity, a token or a library
   */
  environment?: Environment;
  /**
   * Where bearer tokens come from, in place of what this host has: `azureCli()` on a laptop.
   * @default the host's own source
   */
  sources?: ManagedIdentitySources;
}

/** The backends of a host, and why these. */
export interface DetectedHost extends Host {
  /**
   * Asks the metadata service and the sources of this host directly, whatever proxy the environment
   * names, and everybody else by the runtime's `fetch`: `directFetch` of `keybound/host`. One of your
   * own takes its place: `managedIdentity({ ...await detect(), fetch })`.
   */
  readonly fetch: typeof globalThis.fetch;
  /** One sentence a choice. */
  readonly reasons: readonly string[];
  /** Attests KeyGuard keys, on Windows; loads nothing before a token is asked for with `attest`. */
  readonly attestor?: Attestor;
  /** Closes transports, keys and attestor: their connections, sessions and libraries. */
  close(): Promise<void>;
}

/**
 * Looks for the strongest keys this host has and the transport that does TLS with them.
 *
 * Without a token, nothing is read or written before the first token is asked for but environment
 * variables (Deno: those without `--allow-env` count as unset); on Windows, its libraries are loaded.
 * A token that is configured and can't be used is an error, and so are keys of Windows that were
 * asked for: weaker keys never take their place unnoticed.
 *
 * Rejects with `store_unavailable` where a directory is given and the runtime doesn't tell whose
 * files may be trusted (Deno without `--allow-sys=uid`); where a token is configured, with
 * `invalid_argument` for a URI or module that can't be right, `missing_dependency` without koffi or
 * OpenSSL 3, `transport_not_available` where the runtime lets no native library in; where keys of
 * Windows are asked for, with `key_provider_unavailable` elsewhere, `missing_dependency` without
 * koffi; with `invalid_argument` for `pkcs11` and `windows` together.
 *
 * @example
 * ```ts
 * const identity = managedIdentity(await detect({ directory: "/var/lib/my-service/keybound" }));
 * ```
 */
export async function detect(options: DetectOptions = {}): Promise<DetectedHost> {
  const { directory, ca, sources, environment = hostEnvironment() } = options;
  const found = await keyBackends(options, environment);
  const { keys, transports, attestor, reasons, close } = found;
  // Keys in software can still be used, for a confidential client say.
  const all = [nodeTlsTransport(ca === undefined ? {} : { ca }), ...transports];
  const { store, reason } = await chooseStore(directory, found.certificates);
  return {
    keys,
    store,
    transports: all,
    environment,
    fetch: directFetch({ environment }),
    bearer: bearerTokens(sources === undefined ? { host: hostAccess() } : { sources }),
    ...(attestor === undefined ? {} : { attestor }),
    reasons: [...reasons, reason],
    async close() {
      try {
        for (const transport of all) await transport.close();
      } finally {
        await close();
      }
    },
  };
}

async function keyBackends(
  options: DetectOptions,
  environment: Environment,
): Promise<KeyBackends> {
  const { directory, pkcs11, windows } = options;
  if (pkcs11 !== undefined && windows !== undefined && windows !== false) {
    throw new KeyboundError("invalid_argument", "Give 'pkcs11' or 'windows', not both.");
  }
  const hints = { ...options, windows, environment, platform: process.platform };
  const asksForWindows = windows !== undefined && windows !== false;
  const token = asksForWindows ? undefined : await tokenBackends(hints);
  if (token !== undefined) return token;
  const found = await windowsBackends(hints);
  if (found !== undefined && "backends" in found) return found.backends;
  const software = await softwareBackends(directory);
  const { reasons } = software;
  return found === undefined ? software : { ...software, reasons: [found.reason, ...reasons] };
}

/** Where certificates are kept, and one sentence that says so. */
async function chooseStore(
  directory: string | undefined,
  own: KeyBackends["certificates"],
): Promise<NonNullable<KeyBackends["certificates"]>> {
  if (directory !== undefined) {
    const { fileStore } = await import("./files/mod.ts");
    return {
      store: fileStore({ directory }),
      reason: "Certificates in files of the directory given.",
    };
  }
  return own ??
    { store: memoryStore(), reason: "Certificates in memory: no directory was given." };
}
