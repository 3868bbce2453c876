/**
 * Where certificates are kept, as `keybound certs` works with it: a directory, or the store of Windows.
 *
 * @module
 */

import {
  type ExaminationOptions,
  type ExaminedCertificate,
  examineWindows,
} from "../../backends/windows/examination.ts";
import type { KeyProvider } from "../../src/keys.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { thumbprintS256 } from "../../src/x509/thumbprint.ts";
import {
  type CertificateFacts,
  certificateFacts,
  keptCertificates,
  KeyStates,
} from "./inventory.ts";

/** A place that certificates are kept in. */
export interface CertificatePlace {
  /** What it is called in messages. */
  readonly name: string;
  /** All certificates, each with its key. `now`: milliseconds since the Unix epoch. */
  facts(now: number): Promise<CertificateFacts[]>;
  /** Whose they are. */
  aliases(): Promise<ReadonlySet<string>>;
}

/** A directory (absolute path), and the key of this id that its certificates are over. */
export function directoryPlace(
  directory: string,
  keys: KeyProvider,
  keyId: string,
  signal: AbortSignal,
): CertificatePlace {
  const states = new KeyStates(keys, keyId, signal);
  return {
    name: "directory",
    facts: async (now) => {
      const kept = await keptCertificates(directory);
      return await Promise.all(
        kept.map(async (each) => certificateFacts(each, await states.of(each.leaf), now)),
      );
    },
    aliases: async () => new Set((await keptCertificates(directory)).map(({ alias }) => alias)),
  };
}

/** The store of Windows, where each certificate names its key. */
export function windowsPlace(options: ExaminationOptions = {}): CertificatePlace {
  const certificates = async () => (await examineWindows({ ...options, kinds: [] })).certificates;
  return {
    name: "store of Windows",
    facts: async (now) => await windowsFacts(await certificates(), now),
    aliases: async () => new Set((await certificates()).map(({ alias }) => alias)),
  };
}

/** What is told of certificates of the store of Windows. */
export async function windowsFacts(
  certificates: readonly ExaminedCertificate[],
  now: number,
): Promise<CertificateFacts[]> {
  return await Promise.all(certificates.map(async ({ certificate, key, ...named }) => {
    const leaf = parseCertificate(certificate);
    const thumbprint = await thumbprintS256(certificate, crypto);
    return certificateFacts({ ...named, leaf, thumbprint }, key, now);
  }));
}
