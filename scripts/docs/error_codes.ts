/**
 * The error codes, from the source of their union.
 *
 * @module
 */

/** The members of `ErrorCode` in the text of `src/errors.ts`, in their order. */
export function errorCodes(source: string): string[] {
  const [, union = ""] = /^export type ErrorCode =\n((?: {2}\| "\w+";?\n)+)/m.exec(source) ?? [];
  const codes = [...union.matchAll(/"(\w+)"/g)].map(([, code]) => code!);
  if (codes.length === 0) throw new Error("src/errors.ts has no union of error codes.");
  return codes;
}
