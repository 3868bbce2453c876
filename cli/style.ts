/**
 * How results look to people.
 *
 * @module
 */

/** Colours of the sixteen that every terminal has. */
export type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

const CODES: Readonly<Record<Colour, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  cyan: [36, 39],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
};

/** Colours text. */
export type Paint = (colour: Colour, text: string) => string;

/** Colours text, or leaves it. */
export function painter(colours: boolean): Paint {
  return (colour, text) => {
    const [on, off] = CODES[colour];
    return colours ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  };
}

/** Whether to use colours: on a terminal, unless `NO_COLOR` is set or the terminal is dumb. */
export function showsColours(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR = "", TERM } = environment;
  return isTerminal && NO_COLOR === "" && TERM !== "dumb";
}

/** A cell of a table and, where it isn't plain, its colour. */
export type Cell = string | readonly [text: string, colour: Colour];

/** Rows as lines, columns as wide as their widest cell, the last as wide as it is. */
export function table(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, textOf(cell).length);
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = column === row.length - 1 ? 0 : widths[column]!;
      const padded = textOf(cell).padEnd(width);
      return typeof cell === "string" ? padded : paint(cell[1], padded);
    });
    return cells.join("  ").trimEnd();
  });
}

function textOf(cell: Cell): string {
  return plainText(typeof cell === "string" ? cell : cell[0]);
}

/**
 * Text from elsewhere in one line: control characters, which could move a terminal's cursor or
 * change what is seen, show as `?`.
 */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

const STEPS: readonly (readonly [milliseconds: number, unit: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

/** A span of time in its two largest units: `6 d 23 h`. Milliseconds. */
export function span(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const sign = milliseconds < 0 ? "-" : "";
  const first = STEPS.findIndex(([length]) => size >= length);
  if (first === -1) return `${sign}${Math.round(size)} ms`;
  const [length, unit] = STEPS[first]!;
  const whole = Math.floor(size / length);
  const [nextLength, nextUnit] = STEPS[first + 1] ?? [Infinity, ""];
  const rest = Math.floor((size % length) / nextLength);
  return `${sign}${whole} ${unit}${rest === 0 ? "" : ` ${rest} ${nextUnit}`}`;
}
