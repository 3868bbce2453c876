/**
 * Whether the host's keys sign, and how fast; and what has become of the certificates kept.
 *
 * @module
 */

import type { DetectedHost } from "../../backends/detect.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { KeyProvider, SigningKey } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import {
  type CertificateFacts,
  certificateFacts,
  keptCertificates,
  KeyStates,
} from "../certs/inventory.ts";
import { reasonOf } from "../host.ts";
import { span } from "../style.ts";
import { type Finding, finding } from "./finding.ts";

/** Name of the key that identities use unless they are told otherwise. */
export const KEY_ID = "keybound";

/** Keys to get a token with, and what was found. */
export interface KeysSeen {
  /** The host's, where it has one already; else new ones, which leave no trace. */
  readonly keys: KeyProvider;
  readonly findings: readonly Finding[];
}

/** Has the host's key sign; where there is none yet, a temporary one. Nothing is kept. */
export async function tryKeys(host: DetectedHost, signal: AbortSignal): Promise<KeysSeen> {
  const check = `keys: ${host.keys.name}`;
  let key: SigningKey | undefined;
  let findings: Finding[];
  try {
    key = await host.keys.open(KEY_ID, { signal });
    findings = key === undefined
      ? [
        finding(
          check,
          "ok",
          `${host.reasons[0]} No key '${KEY_ID}' yet: it comes with the first token.`,
        ),
      ]
      : [await signatureFinding(check, key, signal)];
  } catch (error) {
    signal.throwIfAborted();
    findings = [finding(check, "failure", reasonOf(error), "Look at the device or the file.")];
  }
  if (key !== undefined) return { keys: host.keys, findings };
  const keys = webcryptoKeys();
  const start = performance.now();
  const temporary = await keys.create(KEY_ID, { signal });
  const made = `a temporary RSA-2048 key, made in ${since(start)} ms`;
  findings.push(await signatureFinding("keys: temporary", temporary, signal, made));
  return { keys, findings };
}

async function signatureFinding(
  check: string,
  key: SigningKey,
  signal: AbortSignal,
  what = `key '${key.id}', strength ${key.strength}`,
): Promise<Finding> {
  const [scheme] = key.schemes;
  if (scheme === undefined) {
    return finding(
      check,
      "failure",
      `${what}, can't sign`,
      "Make a new key: 'keybound keys create'.",
    );
  }
  const data = crypto.getRandomValues(new Uint8Array(32));
  const start = performance.now();
  const signature = await key.sign(scheme, data, { signal });
  const duration = since(start);
  return await verifySignature(scheme, key.spki, data, signature, crypto)
    ? finding(check, "ok", `${what}: ${scheme} in ${duration} ms`)
    : finding(
      check,
      "failure",
      `${what}: its ${scheme} signature is wrong`,
      "Make a new key: 'keybound keys create'.",
    );
}

function since(start: number): string {
  return (performance.now() - start).toFixed(1);
}

/** The certificates of a directory (absolute path), each with its key. */
export async function certificateFindings(
  directory: string | undefined,
  { keys, store: { name: store } }: Pick<DetectedHost, "keys" | "store">,
  signal: AbortSignal,
): Promise<Finding[]> {
  const check = "certificates";
  if (directory === undefined) {
    const where = store === "windows" ? "kept in the store of Windows" : "kept in memory";
    return [finding(check, "info", `${where}: no directory was given (--directory)`)];
  }
  try {
    const kept = await keptCertificates(directory);
    if (kept.length === 0) return [finding(check, "ok", "none in the directory yet")];
    const states = new KeyStates(keys, KEY_ID, signal);
    const now = Date.now();
    return await Promise.all(
      kept.map(async (each) =>
        certificateFinding(certificateFacts(each, await states.of(each.leaf), now))
      ),
    );
  } catch (error) {
    signal.throwIfAborted();
    return [finding(check, "failure", reasonOf(error), "Correct the directory or name another.")];
  }
}

/** What is to be said of a certificate. */
export function certificateFinding({ alias, life, lifeLeft, key }: CertificateFacts): Finding {
  const check = "certificate";
  const left = life === "expired" ? "expired" : `${span(lifeLeft * 1000)} left`;
  const detail = `${alias}: ${left}, key ${key}`;
  if (life === "early") {
    return finding(check, "warning", `${detail}, not yet in force`, "Look at this host's clock.");
  }
  if (key === "unknown") {
    return finding(check, "warning", detail, "The key can't be asked: look at its device or file.");
  }
  if (key !== "alive") {
    return finding(
      check,
      "warning",
      detail,
      "It is replaced when a token is needed next; 'keybound certs evict' does it now.",
    );
  }
  return finding(check, life === "valid" || life === "due" ? "ok" : "info", detail);
}
