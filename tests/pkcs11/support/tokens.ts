/**
 * Work with a token beside the backend's public face.
 *
 * @module
 */

import type { Pkcs11Options } from "../../../backends/pkcs11/mod.ts";
import { Token } from "../../../backends/pkcs11/token.ts";

/** Options for a token of a test. */
export function optionsOf(
  { library, label, pin }: { library: string; label: string; pin: string },
): Pkcs11Options & { uri: string } {
  return { uri: `pkcs11:token=${label}`, module: library, pin: () => pin };
}

/** Destroys every object of a token and says how many there were. */
export async function emptyToken(options: Pkcs11Options): Promise<number> {
  const token = new Token(options);
  try {
    return await token.run(async ({ cryptoki, session, run, touch }) => {
      const objects = await run(cryptoki.find(session, []));
      for (const object of objects) await run(cryptoki.destroyObject(session, object));
      touch();
      return objects.length;
    }, { writable: true });
  } finally {
    await token.close();
  }
}
