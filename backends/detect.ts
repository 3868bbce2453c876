/**
 * The best backends of this host: what {@linkcode managedIdentity} is given.
 *
 * @module
 */

import type { Host } from "../src/managed_identity_options.ts";
import type { ManagedIdentitySources } from "../src/sources/source.ts";
import { bearerTokens } from "../src/sources/bearer.ts";
import { fileKeyStorage, fileStore } from "./files/mod.ts";
import { hostEnvironment } from "./host/environment.ts";
import { hostAccess } from "./host/mod.ts";
import { memoryStore } from "./memory/mod.ts";
import { nodeTlsTransport } from "./node_tls/mod.ts";
import { webcryptoKeys } from "./webcrypto/mod.ts";

/** Options of {@linkcode detect}. */
export interface DetectOptions {
  /**
   * Absolute path of a directory for certificates and software keys, made with mode 0700 where it
   * isn't there. Processes that share it share one key and one certificate an identity, also from
   * one run to the next. @default none: both live in memory and are made anew at each start
   */
  directory?: string;
  /** PEM of the CAs that servers are verified against, in place of the runtime's. */
  ca?: string;
  /** Environment variables. @default those of the process that name a source of managed identity */
  environment?: Readonly<Record<string, string | undefined>>;
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
}

/**
 * Looks for the strongest keys this host has and the transport that does TLS with them.
 *
 * Nothing is read or written before the first token but the environment variables that tell where
 * managed identities come from (Deno: those without `--allow-env` count as unset).
 *
 * Rejects with `store_unavailable` where a directory is given and the runtime doesn't tell whose
 * files may be trusted (Deno without `--allow-sys=uid`).
 *
 * @example
 * ```ts
 * const identity = managedIdentity(await detect({ directory: "/var/lib/my-service/keybound" }));
 * ```
 */
// deno-lint-ignore require-await
export async function detect(options: DetectOptions = {}): Promise<DetectedHost> {
  const { directory, ca, sources } = options;
  const storage = directory === undefined ? undefined : fileKeyStorage({ directory });
  return {
    keys: webcryptoKeys(storage === undefined ? {} : { storage }),
    store: directory === undefined ? memoryStore() : fileStore({ directory }),
    transports: [nodeTlsTransport(ca === undefined ? {} : { ca })],
    environment: options.environment ?? hostEnvironment(),
    bearer: bearerTokens(sources === undefined ? { host: hostAccess() } : { sources }),
    reasons: [
      "Software keys by WebCrypto: no other key backend is configured.",
      directory === undefined
        ? "Keys and certificates in memory: no directory was given."
        : "Keys and certificates in files of the directory given.",
      "TLS by the runtime's own stack, which takes software keys.",
    ],
  };
}
