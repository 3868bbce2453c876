/**
 * The best backends of this host: what {@linkcode managedIdentity} is given.
 *
 * @module
 */

import process from "node:process";
import { METADATA_HOST_VARIABLE } from "../src/imds/endpoint.ts";
import type { Host } from "../src/managed_identity_options.ts";
import { fileKeyStorage, fileStore } from "./files/mod.ts";
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
  /** Environment variables. @default those of the process */
  environment?: Readonly<Record<string, string | undefined>>;
}

/** The backends of a host, and why these. */
export interface DetectedHost extends Host {
  /** One sentence a choice. */
  readonly reasons: readonly string[];
}

/**
 * Looks for the strongest keys this host has and the transport that does TLS with them.
 *
 * Nothing is read or written before the first token but the environment variable
 * `AZURE_POD_IDENTITY_AUTHORITY_HOST` (Deno: `--allow-env` for it, or it counts as unset).
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
  const { directory, ca } = options;
  const environment = options.environment ?? {
    [METADATA_HOST_VARIABLE]: variable(METADATA_HOST_VARIABLE),
  };
  const storage = directory === undefined ? undefined : fileKeyStorage({ directory });
  return {
    keys: webcryptoKeys(storage === undefined ? {} : { storage }),
    store: directory === undefined ? memoryStore() : fileStore({ directory }),
    transports: [nodeTlsTransport(ca === undefined ? {} : { ca })],
    environment,
    reasons: [
      "Software keys by WebCrypto: no other key backend is configured.",
      directory === undefined
        ? "Keys and certificates in memory: no directory was given."
        : "Keys and certificates in files of the directory given.",
      "TLS by the runtime's own stack, which takes software keys.",
    ],
  };
}

/** An environment variable, or nothing where the runtime doesn't let it be read. */
function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}
