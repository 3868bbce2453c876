/**
 * What a command of the program is given and what it gives back.
 *
 * @module
 */

/**
 * How the program ends. 0: done. 1: failed, or, of `doctor`, done with a warning. 2: arguments not
 * understood, or, of `doctor`, a hop that has failed.
 */
export type ExitCode = 0 | 1 | 2;

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a command runs. */
export interface Surroundings {
  /** Environment variables. */
  readonly environment: Environment;
  /** Whether results go to a terminal that shows colours. */
  readonly colours: boolean;
  /** Ends what runs until it is told to end: aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Writes a line of the result. */
  print(line: string): void;
  /** Writes a line beside the result: a log, a remark. */
  note(line: string): void;
  /** Says on a terminal what is waited for, once that takes longer than a second. */
  during<T>(what: string, work: Promise<T>): Promise<T>;
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
   * Does it; resolves with the exit code where that isn't 0. Rejects with {@linkcode UsageError} for
   * arguments it doesn't understand, before it has done anything, else with whatever went wrong.
   */
  run(args: readonly string[], surroundings: Surroundings): Promise<ExitCode | void>;
}

/** Arguments that aren't understood. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
