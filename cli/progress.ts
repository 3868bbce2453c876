/**
 * What is waited for, shown on a terminal once it takes long.
 *
 * @module
 */

/** Milliseconds after which something is said, and between two updates. */
const PATIENCE = 1000;

/** Clears the line that the cursor is in. */
const CLEAR_LINE = "\r\x1b[2K";

/** The terminal that is written to. */
export interface ProgressTerminal {
  /** Whether it is one. */
  readonly isTTY?: boolean;
  /** Writes as it is. */
  write(text: string): unknown;
}

/**
 * Waits for `work`, and says so from the first second on. Nothing is written to what is no terminal, nor
 * while the user is `asked` something there.
 */
export async function during<T>(
  terminal: ProgressTerminal,
  what: string,
  work: Promise<T>,
  asked: () => boolean = () => false,
): Promise<T> {
  if (terminal.isTTY !== true) return await work;
  let seconds = 0;
  const timer = setInterval(() => {
    if (asked()) return;
    seconds += 1;
    terminal.write(`${CLEAR_LINE}${what} ... ${seconds} s`);
  }, PATIENCE);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (seconds > 0) terminal.write(CLEAR_LINE);
  }
}
