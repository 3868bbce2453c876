/**
 * Azure Arc's challenges: files that only a privileged process of the same machine can read, each
 * good for one answer (protocol.md section 7.6).
 *
 * @module
 */

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyboundError } from "../src/errors.ts";

/** Challenges that may be open at a time; beyond it the oldest one is withdrawn. */
const LIMIT = 100;

/** Where challenge files are and what they are called to the client. */
export interface ChallengeDirectories {
  /** Where they are written. @default a temporary directory that goes with the emulator */
  readonly directory?: string | undefined;
  /** Directory named in the challenge. @default the one they are written to */
  readonly announced?: string | undefined;
}

/** The open challenges of one emulator. */
export class ArcChallenges {
  readonly #announced: string | undefined;
  readonly #given: string | undefined;
  /** Our own directory, once the first challenge needs it. */
  #own: Promise<string> | undefined;
  /** Path of the file by the hash of its content, oldest first. */
  readonly #open = new Map<string, string>();
  #closed = false;

  private constructor(directories: ChallengeDirectories) {
    this.#given = directories.directory;
    this.#announced = directories.announced;
  }

  /** No challenges yet; rejects with `invalid_argument` where the directory can't be made. */
  static async create(directories: ChallengeDirectories): Promise<ArcChallenges> {
    const { directory } = directories;
    if (directory !== undefined) {
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw new KeyboundError("invalid_argument", "arcChallengeDirectory can't be made.", {
          cause,
        });
      }
    }
    return new ArcChallenges(directories);
  }

  /** Writes a new file of mode 0600; gives the path that the client is to be told. */
  async issue(): Promise<string> {
    const directory = this.#given ??
      await (this.#own ??= mkdtemp(join(tmpdir(), "keybound-arc-")));
    const name = `${randomUUID()}.key`;
    const path = join(directory, name);
    const content = randomBytes(32).toString("base64url");
    await writeFile(path, content, { mode: 0o600, flag: "wx" });
    this.#open.set(digest(content), path);
    if (this.#closed) await this.clear(); // closed while this was being written
    const [oldest] = this.#open.keys();
    if (this.#open.size > LIMIT) await this.#withdraw(oldest!);
    return this.#announced === undefined ? path : announce(this.#announced, name);
  }

  /** Whether this is the content of a challenge file, which is gone from then on. */
  async spend(content: string): Promise<boolean> {
    return await this.#withdraw(digest(content));
  }

  /** Withdraws every challenge. */
  async clear(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((key) => this.#withdraw(key)));
  }

  /** As `clear`, and takes our own directory away. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.clear();
    const own = await this.#own?.catch(() => undefined);
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  }

  async #withdraw(key: string): Promise<boolean> {
    const path = this.#open.get(key);
    // Forgotten before anything is awaited: of two answers to one challenge only one is good.
    if (path === undefined || !this.#open.delete(key)) return false;
    await rm(path, { force: true });
    return true;
  }
}

/** A path in the way of the system that the directory looks like. */
function announce(directory: string, name: string): string {
  const separator = directory.includes("\\") ? "\\" : "/";
  return directory.endsWith(separator) ? `${directory}${name}` : `${directory}${separator}${name}`;
}

function digest(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}
