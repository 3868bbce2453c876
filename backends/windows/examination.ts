/**
 * What this host's Windows can do and keeps, for a person who looks for a fault.
 *
 * @module
 */

import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { KeyContainer, KeyStrength, SignatureScheme } from "../../src/keys.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { type StoreCertificate, type StoreScope, withCertificates } from "./certificates.ts";
import { Cng } from "./cng.ts";
import { decodeFriendlyName } from "./friendly_name.ts";
import { type Operation, runElsewhere } from "../ffi/operation.ts";
import { classOf, provesDeath, StatusError } from "./status.ts";
import { readEntry } from "./store_entry.ts";
import { type WindowsSystem, windowsSystem } from "./system.ts";
import { TierKeys } from "./tier_keys.ts";
import { possibleSchemes, strengthsFrom, TIERS } from "./tiers.ts";

/** Options of {@linkcode examineWindows}. */
export interface ExaminationOptions {
  /** Whose keys and certificates. @default "user" */
  scope?: StoreScope;
  /** Kinds of key to try. @default all, strongest first */
  kinds?: readonly KeyStrength[];
  /** Verifies signatures. @default globalThis.crypto */
  crypto?: Crypto;
  /**
   * Windows itself, or what stands in for it in a test. @default the system of this process
   *
   * @internal
   */
  system?: () => Promise<WindowsSystem>;
}

/** A kind of key, and whether this host makes it. */
export interface KindOfKey {
  readonly strength: KeyStrength;
  /** Why it doesn't, with the status; `undefined` where a key was made, signed and was destroyed. */
  readonly obstacle: string | undefined;
  /** Whether the obstacle is that this Windows doesn't isolate keys by VBS. */
  readonly lacksVbs: boolean;
}

/**
 * What a certificate's key is: `alive` where it signed just now, `dead` where it is there and doesn't,
 * `orphaned` where the key that is there is another, `missing` where none is or none is named,
 * `unknown` where it can't be asked.
 */
export type CertificateKey = "alive" | "dead" | "missing" | "orphaned" | "unknown";

/** A certificate of ours, or of .NET's library, in the store. */
export interface ExaminedCertificate {
  readonly alias: string;
  /** Base URL of its token endpoint. */
  readonly endpoint: string;
  /** DER. */
  readonly certificate: Bytes;
  readonly key: CertificateKey;
}

/** What was found. */
export interface WindowsExamination {
  /** Those that were tried. */
  readonly kinds: readonly KindOfKey[];
  readonly certificates: readonly ExaminedCertificate[];
}

/** What Windows says where it doesn't isolate keys by VBS (protocol.md section 2.2). */
const VBS_NOT_AVAILABLE = 0x80890014;

/**
 * Makes, uses and destroys a key of each kind, and looks at the managed identity certificates of the
 * store. What was there before is left as it is.
 *
 * Rejects with `key_provider_unavailable` on other systems, `missing_dependency` without koffi,
 * `store_unavailable`.
 */
export async function examineWindows(
  options: ExaminationOptions = {},
): Promise<WindowsExamination> {
  const { scope = "user", crypto = globalThis.crypto, system = windowsSystem } = options;
  const windows = await system();
  const context = { cng: new Cng(windows), machine: scope === "machine", crypto };
  const kinds: KindOfKey[] = [];
  for (const strength of options.kinds ?? strengthsFrom("software")) {
    kinds.push(await examineKind(new TierKeys(TIERS[strength], context)));
  }
  const stored = withCertificates(windows, scope, (store) => store.list());
  const certificates: ExaminedCertificate[] = [];
  for (const each of stored) {
    const alias = decodeFriendlyName(each.friendlyName)?.alias;
    const entry = alias === undefined ? undefined : readEntry(each, alias);
    if (alias === undefined || entry === undefined) continue;
    const { certificate, endpoint } = entry.binding;
    certificates.push({ alias, endpoint, certificate, key: await keyOf(each, context) });
  }
  return { kinds, certificates };
}

async function examineKind(keys: TierKeys): Promise<KindOfKey> {
  const { strength } = keys.tier;
  try {
    await keys.rehearse();
    return { strength, obstacle: undefined, lacksVbs: false };
  } catch (error) {
    const lacksVbs = error instanceof StatusError && error.status === VBS_NOT_AVAILABLE;
    return { strength, obstacle: (error as Error).message, lacksVbs };
  }
}

/** What is needed to ask a key. */
interface Asking {
  readonly cng: Cng;
  readonly crypto: Crypto;
}

const PROBE = new Uint8Array(1);

async function keyOf(stored: StoreCertificate, { cng, crypto }: Asking): Promise<CertificateKey> {
  const { keyContainer, der } = stored;
  if (keyContainer === undefined) return "missing";
  if (keyContainer.providerType !== 0) return "unknown";
  const { spki } = parseCertificate(der);
  let finding: CertificateKey = "unknown";
  for (const scheme of schemesToTry(spki, keyContainer)) {
    const answer = await answerOf(keyContainer, scheme, spki, { cng, crypto });
    if (answer !== "unknown") finding = answer;
    if (answer !== "unknown" && answer !== "dead") break;
  }
  return finding;
}

/** By what a key is judged, as when it is opened; nothing for a kind that isn't used here. */
function schemesToTry(spki: Bytes, { provider }: KeyContainer): readonly SignatureScheme[] {
  try {
    const algorithm = publicKeyAlgorithm(spki);
    const curve = algorithm.type === "ec" ? algorithm.curve : undefined;
    return provider === TIERS.hardware.provider
      ? possibleSchemes(curve, "hardware")
      : possibleSchemes(curve, "software").slice(0, 1);
  } catch (error) {
    if (isKeyboundError(error)) return [];
    throw error;
  }
}

/** What the key in this place is, going by a signature of this scheme. */
async function answerOf(
  place: KeyContainer,
  scheme: SignatureScheme,
  spki: Bytes,
  { cng, crypto }: Asking,
): Promise<CertificateKey> {
  let strength: KeyStrength = "software";
  const sign = function* (): Operation<Bytes | undefined> {
    const key = yield* cng.open(place);
    try {
      if (yield* cng.isIsolated(key.handle)) strength = "keyguard";
      if (!equalBytes(yield* cng.publicKey(key.handle), spki)) return undefined;
      return yield* cng.sign(key.handle, scheme, PROBE);
    } finally {
      key.close();
    }
  };
  try {
    const signature = await runElsewhere(sign());
    if (signature === undefined) return "orphaned";
    return await verifySignature(scheme, spki, PROBE, signature, crypto) ? "alive" : "dead";
  } catch (error) {
    if (classOf(error) === "absent") return "missing";
    return provesDeath(error, strength) ? "dead" : "unknown";
  }
}
