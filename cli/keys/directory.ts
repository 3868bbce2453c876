/**
 * Keys in the files of a directory.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { fileKeyStorage } from "../../backends/files/mod.ts";
import { PrivateDirectory } from "../../backends/files/private_directory.ts";
import { hostSurroundings } from "../../backends/files/surroundings.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { type KeyPlace, type ListedKey, madeKey } from "./place.ts";

/** `key-<id>.pem`, or `key-%<hash of the id>.pem` for an id that can't be a file's name. */
const KEY_FILE = /^key-(%[0-9a-f]{64}|[a-z0-9_-]{1,64})\.pem$/;

/** The keys of this directory (absolute path). */
export function directoryKeys(path: string): KeyPlace {
  const keys = webcryptoKeys({ storage: fileKeyStorage({ directory: path }) });
  const directory = new PrivateDirectory({ path, ...hostSurroundings() });
  const uriOf = (name: string) => pathToFileURL(directory.path(name)).href;

  const listed = async (name: string, id: string): Promise<ListedKey> => {
    const uri = uriOf(name);
    // From a hash there is no way back to the id that opens it.
    if (id.startsWith("%")) return { label: "", uri, algorithm: undefined };
    try {
      const key = await keys.open(id);
      return { label: id, uri, algorithm: key && algorithmOf(key.spki) };
    } catch (error) {
      if (!(error instanceof KeyboundError)) throw error;
      return { label: id, uri, algorithm: undefined, fault: error.message };
    }
  };

  return {
    async create(name, algorithm) {
      const key = await keys.create(name, { algorithm });
      const file = `key-${name}.pem`;
      const uri = KEY_FILE.test(file) ? uriOf(file) : pathToFileURL(path).href;
      return madeKey(key, uri, algorithm);
    },
    async list() {
      const files = await keyFiles(directory);
      return await Promise.all(files.map((name) => listed(name, KEY_FILE.exec(name)![1]!)));
    },
    remove: (name) => keys.remove(name),
    close: () => Promise.resolve(),
  };
}

async function keyFiles(directory: PrivateDirectory): Promise<string[]> {
  try {
    return (await directory.names()).filter((name) => KEY_FILE.test(name));
  } catch (cause) {
    const { message } = cause as Error;
    throw new KeyboundError(
      "key_provider_unavailable",
      `The key directory '${directory.path("")}' can't be used. ${message}`,
      { cause },
    );
  }
}

/** `RSA-2048`, `P-256`, ...: the kind of a public key, DER SubjectPublicKeyInfo. */
export function algorithmOf(spki: Bytes): string {
  const algorithm = publicKeyAlgorithm(spki);
  return algorithm.type === "rsa" ? `RSA-${algorithm.modulusBits}` : algorithm.curve;
}
