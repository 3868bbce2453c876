/**
 * The best backends of this host: what {@linkcode managedIdentity} is given.
 *
 * @module
 */

import type { KeyProvider } from "../src/keys.ts";
import type { Host } from "../src/managed_identity_options.ts";
import { bearerTokens } from "../src/sources/bearer.ts";
import type { Environment, ManagedIdentitySources } from "../src/sources/source.ts";
import type { MtlsTransport } from "../src/transports.ts";
import { fileKeyStorage, fileStore } from "./files/mod.ts";
import { hostEnvironment } from "./host/environment.ts";
import { pathExists } from "./host/files.ts";
import { hostAccess } from "./host/mod.ts";
import { memoryStore } from "./memory/mod.ts";
import { nodeTlsTransport } from "./node_tls/mod.ts";
import type { Pkcs11Options } from "./pkcs11/mod.ts";
import { webcryptoKeys } from "./webcrypto/mod.ts";

/** Options of {@linkcode detect}. */
export interface DetectOptions {
  /**
   * Absolute path of a directory for certificates and software keys, made with mode 0700 where it
   * isn't there. Processes that share it share one key and one certificate an identity, also from
   * one run to the next. @default none: both live in memory and are made anew at each start
   */
  directory?: string;
  /**
   * The HSM, TPM or smart card that keys are in. @default the token that the environment variable
   * `KEYBOUND_PKCS11_URI` names; without it, software keys
   */
  pkcs11?: Pkcs11Options;
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
  /** One sentence a choice. */
  readonly reasons: readonly string[];
  /** Closes transports and keys: their connections, sessions and libraries. */
  close(): Promise<void>;
}

/**
 * Looks for the strongest keys this host has and the transport that does TLS with them.
 *
 * Without a token, nothing is read or written before the first token is asked for but environment
 * variables (Deno: those without `--allow-env` count as unset). A token that is configured and can't
 * be used is an error: weaker keys never take its place unnoticed.
 *
 * Rejects with `store_unavailable` where a directory is given and the runtime doesn't tell whose
 * files may be trusted (Deno without `--allow-sys=uid`); where a token is configured, with
 * `invalid_argument` for a URI or module that can't be right, `missing_dependency` without koffi or
 * OpenSSL 3, `transport_not_available` where the runtime lets no native library in.
 *
 * @example
 * ```ts
 * const identity = managedIdentity(await detect({ directory: "/var/lib/my-service/keybound" }));
 * ```
 */
export async function detect(options: DetectOptions = {}): Promise<DetectedHost> {
  const { directory, ca, sources, environment = hostEnvironment() } = options;
  const { keys, transports, reasons, close } = await tokenBackends(options, environment) ??
    await softwareBackends(options);
  // Keys in software can still be used, for a confidential client say.
  const all = [nodeTlsTransport(ca === undefined ? {} : { ca }), ...transports];
  return {
    keys,
    store: directory === undefined ? memoryStore() : fileStore({ directory }),
    transports: all,
    environment,
    bearer: bearerTokens(sources === undefined ? { host: hostAccess() } : { sources }),
    reasons: [
      ...reasons,
      directory === undefined
        ? "Certificates in memory: no directory was given."
        : "Certificates in files of the directory given.",
    ],
    async close() {
      for (const transport of all) await transport.close();
      await close();
    },
  };
}

/** Keys, what does TLS with them besides the runtime, and why. */
interface KeyBackends {
  readonly keys: KeyProvider;
  readonly transports: readonly MtlsTransport[];
  readonly reasons: readonly string[];
  close(): Promise<void>;
}

async function softwareBackends({ directory }: DetectOptions): Promise<KeyBackends> {
  const storage = directory === undefined ? undefined : fileKeyStorage({ directory });
  const where = storage === undefined ? "in memory" : "in files of the directory given";
  const tpm = await pathExists("/dev/tpmrm0")
    ? " This host has a TPM: KEYBOUND_PKCS11_URI can name a token on it."
    : "";
  return {
    keys: webcryptoKeys(storage === undefined ? {} : { storage }),
    transports: [],
    reasons: [
      `Software keys by WebCrypto, ${where}: no token is configured.${tpm}`,
      "TLS by the runtime's own stack, which takes software keys.",
    ],
    close: () => Promise.resolve(),
  };
}

/** Keys in a token, where one is configured. Loads what that takes. */
async function tokenBackends(
  { pkcs11, ca }: DetectOptions,
  environment: Environment,
): Promise<KeyBackends | undefined> {
  if (pkcs11 === undefined && (environment.KEYBOUND_PKCS11_URI ?? "") === "") return undefined;
  const { findPkcs11, pkcs11Keys } = await import("./pkcs11/mod.ts");
  const found = pkcs11 === undefined ? await findPkcs11(environment, pathExists) : undefined;
  const chosen = found ?? pkcs11;
  if (chosen === undefined) return undefined;
  const keys = pkcs11Keys(chosen);
  const { findOpenssl, opensslTransport } = await import("./openssl/mod.ts");
  const openssl = await findOpenssl({ environment });
  return {
    keys,
    transports: [opensslTransport({ environment, ...(ca === undefined ? {} : { ca }) })],
    reasons: [
      found?.reason ?? "Keys in the token given.",
      `TLS with keys that can't leave the token by ${openssl.version} (${openssl.ssl}).`,
    ],
    close: () => keys.close(),
  };
}
