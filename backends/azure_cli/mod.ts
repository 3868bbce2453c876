/**
 * Tokens of the developer who is signed in with the Azure CLI, where a managed identity would be
 * used in the cloud. Only ever by choice: nothing finds this by itself.
 *
 * @module
 */

import process from "node:process";
import { type Clock, systemClock } from "../../src/clock.ts";
import { withDeadline } from "../../src/deadline.ts";
import { KeyboundError } from "../../src/errors.ts";
import type {
  BearerAnswer,
  BearerQuery,
  Capabilities,
  ManagedIdentitySources,
} from "../../src/sources/source.ts";
import { readCliAnswer } from "./answer.ts";
import { findAzureCli, tokenArguments } from "./command.ts";
import { fileExists, run } from "./run.ts";

export type {
  BearerAnswer,
  BearerQuery,
  BearerSourceName,
  Capabilities,
  CapabilitiesOptions,
  ManagedIdentitySources,
  SourceName,
} from "../../src/sources/source.ts";
export type { Clock } from "../../src/clock.ts";

/** Options of {@linkcode azureCli}. */
export interface AzureCliOptions {
  /** Absolute path of `az`. @default the first in the folders of PATH */
  program?: string;
  /** Tenant (UUID or domain) to ask for. @default the one that the CLI has chosen */
  tenant?: string;
  /** Milliseconds for one run of the CLI. @default 30000 */
  timeout?: number;
  /** Time. @default the runtime's */
  clock?: Clock;
}

/**
 * The Azure CLI (`az account get-access-token`, 2.54 or later) as the source of bearer tokens, for
 * development. The tokens are those of who is signed in: which identity was asked for doesn't
 * matter, so that a program with a user-assigned identity runs on a laptop as it is.
 *
 * It runs without a shell, its output is parsed strictly, and its words are told to nobody. On
 * Deno: `--allow-run` and `--allow-env`, which the CLI inherits, and `--allow-read` for the folders
 * of PATH, unless `program` is given.
 *
 * Throws `invalid_argument` for options that can't be right. Tokens fail with `missing_dependency`
 * where there is no CLI, `managed_identity_request_failed`, `managed_identity_response_parse_failure`,
 * `invalid_token_provider_response_value`, `request_timeout`, or the signal's reason.
 *
 * @example
 * ```ts
 * const identity = managedIdentity(await detect({ sources: azureCli() }));
 * const { accessToken } = await identity.getToken({ resource, binding: "preferred" });
 * ```
 */
export function azureCli(options: AzureCliOptions = {}): ManagedIdentitySources {
  const { clock = systemClock(), program, tenant, timeout = 30_000 } = options;
  const isRight = Number.isFinite(timeout) && timeout > 0 &&
    (tenant === undefined || /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(tenant)) &&
    (program === undefined || /^(?:\/|[A-Za-z]:\\)[^\p{Cc}]{1,4096}$/u.test(program));
  if (!isRight) {
    throw new KeyboundError(
      "invalid_argument",
      "'program' must be an absolute path, 'tenant' a UUID or a domain, 'timeout' a positive number.",
    );
  }
  const capabilities: Capabilities = Object.freeze({
    source: "AzureCli",
    boundTokens: false,
    reason: "The Azure CLI gives no bound tokens.",
    strength: "none",
  });
  return {
    find: () => Promise.resolve("AzureCli"),
    known: () => Promise.resolve(capabilities),
    async capabilities({ signal } = {}) {
      signal?.throwIfAborted();
      return await Promise.resolve(capabilities);
    },
    async token({ resource, correlationId, signal }: BearerQuery): Promise<BearerAnswer> {
      signal?.throwIfAborted();
      const command = program === undefined
        ? await findAzureCli({
          isWindows: process.platform === "win32",
          path: process.env.PATH,
          exists: fileExists,
        })
        : { program, prefix: [] };
      if (command === undefined) throw notInstalled(correlationId);
      const args = [...command.prefix, ...tokenArguments(resource, tenant)];
      const late = new KeyboundError(
        "request_timeout",
        `[AzureCli] The Azure CLI did not answer within ${timeout} ms.`,
        { retryable: true, correlationId, source: "AzureCli" },
      );
      const work = (either: AbortSignal) => run(command.program, args, either);
      const ended = await withDeadline(work, timeout, late, clock, signal);
      if (ended === undefined) throw notInstalled(correlationId);
      return readCliAnswer(ended, clock.now(), correlationId);
    },
  };
}

function notInstalled(correlationId: string): KeyboundError {
  return new KeyboundError(
    "missing_dependency",
    "[AzureCli] There is no `az` in the folders of PATH. Install the Azure CLI, or give 'program'.",
    { correlationId, source: "AzureCli" },
  );
}
