/**
 * Keys: which kinds this host makes, and whether each is what the library takes it for.
 *
 * @module
 */

import { windowsKeys } from "../../../backends/windows/mod.ts";
import type { CngKey } from "../../../backends/windows/key.ts";
import { statusName } from "../../../backends/windows/status.ts";
import { wide } from "../../../backends/ffi/wide_text.ts";
import type { TierKeys } from "../../../backends/windows/tier_keys.ts";
import { base64, equalBytes, fromBase64, utf8 } from "../../../src/encoding.ts";
import { isKeyboundError } from "../../../src/errors.ts";
import type { KeyAlgorithm, KeyStrength, SignatureScheme } from "../../../src/keys.ts";
import { verifySignature } from "../../../src/x509/verify.ts";
import { type Host, keysOf, otherProcess, STRENGTHS, unlessMissing } from "./host.ts";
import { expect } from "./verification.ts";

const DATA = utf8("keybound verifies Windows");
const ALGORITHMS: readonly KeyAlgorithm[] = ["RSA-2048", "RSA-3072", "P-256"];

/** Formats of whole keys. */
const PRIVATE_BLOBS = [
  "RSAFULLPRIVATEBLOB",
  "RSAPRIVATEBLOB",
  "ECCPRIVATEBLOB",
  "PKCS8_PRIVATEKEY",
];

/** The checks. */
export async function verifyKeys(host: Host): Promise<void> {
  const { verification, system, run } = host;
  await verification.check("the kind of key that the library chooses", async () => {
    const { strength, reasons } = await windowsKeys({ system: async () => await system }).choice();
    return [`\`${strength}\``, ...reasons].join("; ");
  });
  for (const strength of STRENGTHS) {
    for (const algorithm of ALGORITHMS) {
      const keys = keysOf(system, strength);
      const id = `verify ${run} ${algorithm}`;
      try {
        await verifyKind(host, keys, { id, strength, algorithm });
      } finally {
        await keys.remove(id).catch(() => {});
      }
    }
  }
}

interface Kind {
  readonly id: string;
  readonly strength: KeyStrength;
  readonly algorithm: KeyAlgorithm;
}

async function verifyKind(
  { verification, system }: Host,
  keys: TierKeys,
  { id, strength, algorithm }: Kind,
): Promise<void> {
  const named = (what: string) => `${strength} ${algorithm}: ${what}`;
  const create = () => keys.create(id, algorithm, () => {});
  let key: CngKey | undefined;
  const isMade = await verification.check(named("is made"), async () => {
    key = await unlessMissing(create());
    return `signs ${key.schemes.join(", ")}`;
  });
  if (!isMade || key === undefined) return;
  const made = key;

  await verification.check(named("is found and signs in each scheme, twice"), async () => {
    const found = await keys.find(id);
    expect(found !== undefined && equalBytes(found.spki, made.spki), "Another key was found.");
    for (const scheme of [...found.schemes, ...found.schemes]) await verifyOne(found, scheme);
    return await timeOf(found);
  });
  await verification.check(named("can't be exported"), async () => {
    const statuses = await made.withHandle((handle) =>
      Promise.resolve(PRIVATE_BLOBS.map((format) => {
        const [out, size] = [new Uint8Array(4096), new Uint8Array(4)];
        const { NCryptExportKey } = system.ncrypt;
        return NCryptExportKey(handle, 0n, wide(format), 0n, out, out.length, size, 0);
      }))
    );
    expect(statuses.every((status) => status !== 0), "The private half was exported.");
    return [...new Set(statuses.map(statusName))].join(", ");
  });
  await verification.check(named("is there for another process"), async () => {
    const other = otherProcess({ do: "sign", strength, id, data: base64(DATA) });
    const seen = await other.next() as { spki: string; scheme: SignatureScheme; signature: string };
    await other.kill();
    expect(seen.spki === base64(made.spki), "The other process found another key.");
    const signature = fromBase64(seen.signature);
    expect(await verifySignature(seen.scheme, made.spki, DATA, signature), "A wrong signature.");
    return seen.scheme;
  });
  await verification.check(named("is noticed when another process has replaced it"), async () => {
    const other = otherProcess({ do: "create", strength, id });
    const next = await other.next() as { spki: string };
    await other.kill();
    expect(next.spki !== base64(made.spki), "The new key is the old one.");
    return `the old one: ${await failureOf(made)}`;
  });
  await verification.check(named("is gone when it was removed"), async () => {
    const last = await keys.find(id);
    await keys.remove(id);
    expect(await keys.find(id) === undefined, "It is there still.");
    return `its signature: ${await failureOf(last!)}`;
  });
}

async function verifyOne(key: CngKey, scheme: SignatureScheme): Promise<void> {
  for (const signature of [await key.sign(scheme, DATA), key.signSync(scheme, DATA)]) {
    expect(
      await verifySignature(scheme, key.spki, DATA, signature),
      `The ${scheme} signature is wrong.`,
    );
  }
}

async function timeOf(key: CngKey): Promise<string> {
  const count = 10;
  const start = performance.now();
  for (let i = 0; i < count; i++) await key.sign(key.schemes[0]!, DATA);
  return `${((performance.now() - start) / count).toFixed(1)} ms a signature`;
}

/** What the signature of a key that is no more fails with. */
async function failureOf(key: CngKey): Promise<string> {
  try {
    await key.sign(key.schemes[0]!, DATA);
  } catch (error) {
    expect(isKeyboundError(error, "key_unusable"), `Failed as ${error}`);
    return `\`key_unusable\`, ${(error.cause as Error).message}`;
  }
  throw new Error("It still signs.");
}
