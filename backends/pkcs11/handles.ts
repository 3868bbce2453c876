/**
 * A check on what a module's handles stand for.
 *
 * @module
 */

import { CKR } from "./constants.ts";
import type { Operation } from "../ffi/operation.ts";
import { ReturnCodeError } from "./return_codes.ts";
import type { SessionFacts } from "./token.ts";

/**
 * Fails with a return code of class `device` where two objects have one handle: that is what
 * tpm2-pkcs11 1.9 gives to a new object when the first ones were destroyed. Whoever went on would
 * sign with, or destroy, another object than meant. Initialized anew, the module numbers rightly.
 */
export function* assertDistinctHandles({ cryptoki, session }: SessionFacts): Operation<void> {
  const handles = yield* cryptoki.find(session, []);
  if (new Set(handles).size < handles.length) {
    throw new ReturnCodeError("C_FindObjects", CKR.FUNCTION_FAILED);
  }
}
