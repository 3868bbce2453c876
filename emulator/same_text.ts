/**
 * Compares secrets.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";

/** Whether both are the same text; hashed first, so that the time tells not even the length. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
