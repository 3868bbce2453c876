/**
 * Software keys in files.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Bytes, fromUtf8, utf8 } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import type { KeyStorage } from "../../src/key_storage.ts";
import type { KeyOptions } from "../../src/keys.ts";
import { decodePem, encodePem } from "../../src/x509/pem.ts";
import { isTransient } from "./file_system.ts";
import { PrivateDirectory } from "./private_directory.ts";
import { hostSurroundings, type Surroundings } from "./surroundings.ts";

/** Options of {@linkcode fileKeyStorage}. */
export interface FileKeyStorageOptions {
  /** Where the files are. Made with mode 0700 where it isn't there. */
  directory: string;
}

const LABEL = "PRIVATE KEY";

/** Longest file that is read, bytes; RSA-4096 takes 3.3 kB. */
const MAX_KEY_SIZE = 16_384;

/** A key file that even others may only read is no secret. */
const OPEN_TO_OTHERS = 0o077;

/**
 * Keys as PKCS#8 PEM files of mode 0600 in a directory, shared by the processes of one user that
 * name the same one. A file is replaced whole: no reader ever sees half a key.
 *
 * The key of an id of lower-case letters, digits, `-` and `_` (64 at most) is in `key-<id>.pem`, so
 * that a key can be put there by hand; any other id goes by its hash.
 *
 * `read` rejects with `key_file_invalid` for a file that is a symbolic link, another user's, open
 * to others, larger than 16 KiB or no PEM; `write` replaces it. Everything rejects with
 * `key_provider_unavailable` when the file system fails, and when the directory is a symbolic
 * link, another user's or writable by others.
 *
 * Deno asks for `--allow-read` and `--allow-write` of the directory and `--allow-sys=uid`.
 *
 * @example
 * ```ts
 * const keys = webcryptoKeys({ storage: fileKeyStorage({ directory: "/var/lib/app/keys" }) });
 * ```
 */
export function fileKeyStorage({ directory }: FileKeyStorageOptions): KeyStorage {
  return new FileKeyStorage(directory, hostSurroundings());
}

/** The storage over whatever surroundings. */
export class FileKeyStorage implements KeyStorage {
  readonly #path: string;
  readonly #directory: PrivateDirectory;

  constructor(path: string, surroundings: Surroundings) {
    this.#path = path;
    this.#directory = new PrivateDirectory({ path, ...surroundings });
  }

  async read(id: string, { signal }: KeyOptions = {}): Promise<Bytes | undefined> {
    signal?.throwIfAborted();
    const name = keyFileName(id);
    const rules = { maxSize: MAX_KEY_SIZE, forbiddenMode: OPEN_TO_OTHERS };
    const content = await this.#attempt(async () => {
      return await this.#directory.check()
        ? await this.#directory.read(name, rules)
        : { state: "absent" as const };
    });
    if (content.state === "absent") return undefined;
    if (content.state === "refused") throw this.#invalid(name, content.reason);
    return this.#decode(name, content.bytes);
  }

  async write(id: string, pkcs8: Bytes, { signal }: KeyOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const pem = utf8(encodePem(LABEL, pkcs8));
    await this.#attempt(() => this.#directory.replace(keyFileName(id), pem));
  }

  async remove(id: string, { signal }: KeyOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await this.#attempt(async () => {
      if (await this.#directory.check()) await this.#directory.remove(keyFileName(id));
    });
  }

  #decode(name: string, content: Bytes): Bytes {
    let keys: Bytes[];
    try {
      keys = decodePem(fromUtf8(content), LABEL);
    } catch (cause) {
      throw this.#invalid(name, "is no PEM", cause);
    }
    if (keys.length !== 1) throw this.#invalid(name, "holds more than one key");
    return keys[0]!;
  }

  #invalid(name: string, reason: string, cause?: unknown): KeyboundError {
    return new KeyboundError(
      "key_file_invalid",
      `The key file '${
        this.#directory.path(name)
      }' ${reason}. Make it a PKCS#8 PEM file of mode 0600 owned by this user, or remove it so that a new key is made.`,
      { cause },
    );
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (isKeyboundError(cause)) throw cause;
      throw new KeyboundError(
        "key_provider_unavailable",
        `The key directory '${this.#path}' can't be used. ${(cause as Error).message}`,
        { cause, retryable: isTransient(cause) },
      );
    }
  }
}

/** A name that is the id's own on every file system, letter case folded or not. */
function keyFileName(id: string): string {
  const isPlain = /^[a-z0-9_-]{1,64}$/.test(id);
  const hash = () => createHash("sha256").update(JSON.stringify(id)).digest("hex");
  return isPlain ? `key-${id}.pem` : `key-%${hash()}.pem`;
}
