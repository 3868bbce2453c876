/**
 * What a command of the program is given and what it gives back.
 *
 * @module
 */

/** Where a command runs. */
export interface Surroundings {
  /** Environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes a line of the result. */
  print(line: string): void;
  /** Asks on the terminal, without echo. Rejects where there is no terminal. */
  askSecret(question: string): Promise<string>;
}

/** A command: `keybound <name> ...`. */
export interface Command {
  /** What it is for, in one line. */
  readonly summary: string;
  /** What `--help` shows. */
  readonly help: string;
  /**
   * Does it. Rejects with {@linkcode UsageError} for arguments it doesn't understand, else with
   * whatever went wrong.
   */
  run(args: readonly string[], surroundings: Surroundings): Promise<void>;
}

/** Arguments that aren't understood. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
