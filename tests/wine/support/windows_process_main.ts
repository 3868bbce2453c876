/**
 * The program of `windows_process.ts`: takes orders from standard input, a line of JSON each, and
 * answers likewise.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { windowsKeys, windowsStore } from "../../../backends/windows/mod.ts";
import { base64, fromBase64 } from "../../../src/encoding.ts";
import type { KeyAlgorithm, SignatureScheme } from "../../../src/keys.ts";

/** What it can do. */
export type Order =
  /** Makes a key. */
  | { readonly create: string; readonly algorithm: KeyAlgorithm }
  /** Opens a key and signs these bytes (base64). */
  | { readonly sign: string; readonly scheme: SignatureScheme; readonly data: string }
  /** Destroys a key. */
  | { readonly remove: string }
  /** Takes the lock of an alias, and holds it until the process ends. */
  | { readonly hold: string };

/** What came of an order. */
export interface Answer {
  /** DER of the key's SubjectPublicKeyInfo, base64. */
  readonly spki?: string;
  /** Base64. */
  readonly signature?: string;
  /** What went wrong. */
  readonly error?: string;
}

const keys = windowsKeys();
const store = windowsStore({ keys });

async function obey(order: Order): Promise<Answer> {
  if ("create" in order) {
    const { spki } = await keys.create(order.create, { algorithm: order.algorithm });
    return { spki: base64(spki) };
  }
  if ("sign" in order) {
    const key = await keys.open(order.sign);
    if (key === undefined) throw new Error(`There is no key '${order.sign}'.`);
    const signature = await key.sign(order.scheme, fromBase64(order.data));
    return { spki: base64(key.spki), signature: base64(signature) };
  }
  if ("remove" in order) {
    await keys.remove(order.remove);
    return {};
  }
  await new Promise<void>((resolve, reject) => {
    const forever = () => {
      resolve();
      return new Promise<never>(() => {});
    };
    store.lock(order.hold, forever, { timeout: 0 }).catch(reject);
  });
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(JSON.parse(line) as Order)
    .catch((error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// A lock that is held keeps nobody here.
process.exit();
