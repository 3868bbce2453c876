/**
 * Keys and certificates of Windows.
 *
 * @module
 */

import { isKeyboundError } from "../../src/errors.ts";
import type { Environment } from "../../src/sources/source.ts";
import type { WindowsKeysOptions } from "../windows/mod.ts";
import type { KeyBackends } from "./key_backends.ts";

/** What tells whether and how keys of Windows are used. */
export interface WindowsHints {
  /** What the program says of them; `undefined` where that is for the host to say. */
  readonly windows: WindowsKeysOptions | boolean | undefined;
  /** `process.platform`. */
  readonly platform: string;
  /** PEM of the CAs that servers are verified against. */
  readonly ca?: string;
  readonly environment: Environment;
}

/** The backends of Windows, or why they aren't used though this is Windows. */
export type WindowsFound = { readonly backends: KeyBackends } | { readonly reason: string };

/**
 * Keys in CNG with `CurrentUser\My`, SChannel and attestation; `undefined` on other systems and where
 * the program wants none of it.
 *
 * Rejects with what keeps a program from them that asked for them: `key_provider_unavailable`,
 * `missing_dependency`. Who didn't ask is given the reason.
 */
export async function windowsBackends(
  { windows, platform, ca, environment }: WindowsHints,
): Promise<WindowsFound | undefined> {
  const wanted = windows ?? platform === "win32";
  if (wanted === false) return undefined;
  const options = typeof wanted === "object" ? wanted : {};
  const { windowsSystem } = await import("../windows/system.ts");
  const { scope = "user", system = windowsSystem } = options;
  try {
    await system();
  } catch (error) {
    if (windows !== undefined || !isKeyboundError(error)) throw error;
    return { reason: `Keys of Windows can't be used: ${error.message}` };
  }
  const { isStoreDisabled, windowsAttestor, windowsKeys, windowsStore } = await import(
    "../windows/mod.ts"
  );
  const { schannelTransport } = await import("../schannel/mod.ts");
  const keys = windowsKeys(options);
  const attestor = windowsAttestor();
  const backends: KeyBackends = {
    keys,
    transports: [schannelTransport(ca === undefined ? {} : { ca })],
    attestor,
    reasons: [
      "Keys in CNG, of the strongest kind that this host makes: KeyGuard, TPM, software.",
      "TLS by SChannel, which takes keys that can't leave Windows.",
    ],
    close: () => attestor.close(),
  };
  if (isStoreDisabled(environment)) return { backends };
  const store = windowsStore({ keys, scope, system });
  const whose = scope === "machine" ? "LocalMachine" : "CurrentUser";
  return {
    backends: {
      ...backends,
      certificates: { store, reason: `Certificates in ${whose}\\My.` },
    },
  };
}
