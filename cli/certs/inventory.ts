/**
 * All certificates of a directory, whoever's they are, and what has become of their keys.
 *
 * @module
 */

import * as entries from "../../backends/files/entry.ts";
import { PrivateDirectory } from "../../backends/files/private_directory.ts";
import { hostSurroundings } from "../../backends/files/surroundings.ts";
import { isAlive } from "../../src/binding/probe.ts";
import { systemClock } from "../../src/clock.ts";
import { equalBytes, fromUtf8 } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { maskAlias } from "../../src/events.ts";
import type { KeyProvider, SigningKey } from "../../src/keys.ts";
import { hasLifeLeft, isInForce, renewalTime } from "../../src/policy/renewal.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { thumbprintS256 } from "../../src/x509/thumbprint.ts";

/** A certificate that is kept. */
export interface KeptCertificate {
  /** Whose it is. */
  readonly alias: string;
  /** Base URL of its token endpoint. */
  readonly endpoint: string;
  /** Its fields. */
  readonly leaf: Certificate;
  /** `x5t#S256`, base64url. */
  readonly thumbprint: string;
}

/**
 * What its key is: `alive` where it signed just now, `dead` where it is there and doesn't, `orphaned`
 * where the key that is there is another, `missing` where none is, `unknown` where it can't be asked.
 */
export type KeyState = "alive" | "dead" | "orphaned" | "missing" | "unknown";

/** How a certificate stands at a time. */
export type LifeState = "valid" | "due" | "ending" | "expired" | "early";

/** The certificates in this directory (absolute path), those that have expired included. */
export async function keptCertificates(path: string): Promise<KeptCertificate[]> {
  const directory = new PrivateDirectory({ path, ...hostSurroundings() });
  const rules = { maxSize: entries.MAX_ENTRY_SIZE, forbiddenMode: 0o022 };
  const found: KeptCertificate[] = [];
  try {
    for (const name of await directory.names()) {
      if (!ENTRY_NAME.test(name)) continue;
      const content = await directory.read(name, rules);
      const entry = content.state === "read" ? decode(name, content.bytes) : undefined;
      if (entry === undefined) continue;
      const { alias, binding: { certificate, endpoint } } = entry;
      const leaf = parseCertificate(certificate);
      found.push({ alias, endpoint, leaf, thumbprint: await thumbprintS256(certificate, crypto) });
    }
  } catch (cause) {
    if (cause instanceof KeyboundError) throw cause;
    throw new KeyboundError(
      "store_unavailable",
      `The certificate store at '${path}' can't be used. ${(cause as Error).message}`,
      { cause },
    );
  }
  return found.sort((a, b) =>
    a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : b.leaf.notAfter - a.leaf.notAfter
  );
}

const ENTRY_NAME = /^[0-9a-f]{64}\.[0-9a-f]{64}\.v1\.json$/;

/** The entry of this file, whose alias only the file itself says. */
function decode(name: string, content: Parameters<typeof entries.decodeEntry>[2]) {
  let alias: unknown;
  try {
    ({ alias } = JSON.parse(fromUtf8(content)) as { alias?: unknown });
  } catch {
    return undefined;
  }
  if (typeof alias !== "string" || !entries.isEntryName(name, alias)) return undefined;
  const entry = entries.decodeEntry(name, alias, content);
  return entry && { alias, ...entry };
}

/** Tells what the keys of certificates are, asking each key once. */
export class KeyStates {
  readonly #keys: KeyProvider;
  readonly #id: string;
  readonly #signal: AbortSignal;
  #opened: Promise<SigningKey | undefined> | undefined;
  #signs: Promise<boolean> | undefined;

  /** The key of this id is the one that certificates are over. */
  constructor(keys: KeyProvider, id: string, signal: AbortSignal) {
    this.#keys = keys;
    this.#id = id;
    this.#signal = signal;
  }

  /** What the key of this certificate is. Rejects with the signal's reason. */
  async of({ spki }: Certificate): Promise<KeyState> {
    try {
      const key = await (this.#opened ??= this.#keys.open(this.#id, { signal: this.#signal }));
      if (key === undefined) return "missing";
      if (!equalBytes(key.spki, spki)) return "orphaned";
      return await (this.#signs ??= this.#probe(key)) ? "alive" : "dead";
    } catch {
      this.#signal.throwIfAborted();
      return "unknown";
    }
  }

  #probe(key: SigningKey): Promise<boolean> {
    const clock = systemClock();
    const context = { emit: () => {}, signal: this.#signal, correlationId: crypto.randomUUID() };
    return isAlive(key, "suspect", { crypto, clock }, context);
  }
}

/**
 * How a certificate stands: `early` before it is in force, `due` from the middle of its life, `ending`
 * when too little is left to take it from a store. `now`: milliseconds since the Unix epoch.
 */
export function lifeState(leaf: Certificate, now: number): LifeState {
  if (now >= leaf.notAfter) return "expired";
  if (!isInForce(leaf, now)) return "early";
  if (!hasLifeLeft(leaf, now)) return "ending";
  return now >= renewalTime(leaf, 0.5) ? "due" : "valid";
}

/** A certificate as it is told of: its alias masked, times in ISO 8601. */
export interface CertificateFacts {
  readonly alias: string;
  readonly thumbprint: string;
  readonly attested: boolean;
  readonly notBefore: string;
  readonly notAfter: string;
  /** Seconds; negative after its end. */
  readonly lifeLeft: number;
  readonly life: LifeState;
  readonly key: KeyState;
  readonly endpoint: string;
}

/** What is told of a certificate. */
export function certificateFacts(
  { alias, leaf, thumbprint, endpoint }: KeptCertificate,
  key: KeyState,
  now: number,
): CertificateFacts {
  return {
    alias: maskAlias(alias),
    thumbprint,
    attested: alias.endsWith("#att=1"),
    notBefore: new Date(leaf.notBefore).toISOString(),
    notAfter: new Date(leaf.notAfter).toISOString(),
    lifeLeft: Math.floor((leaf.notAfter - now) / 1000),
    life: lifeState(leaf, now),
    key,
    endpoint,
  };
}
