/**
 * An emulator as its user holds it, over anything that can call its methods.
 *
 * @module
 */

import type { Method } from "./control.ts";
import type { AdminAccess, Emulator, EmulatorAddresses } from "./types.ts";

/** Calls a method of the emulator, wherever that runs. */
export type Call = (method: Method, args: readonly unknown[]) => Promise<unknown>;

/** What an emulator is made of. */
export interface EmulatorParts {
  readonly addresses: EmulatorAddresses;
  readonly admin: AdminAccess;
  readonly call: Call;
  readonly close: () => Promise<void>;
}

/** The emulator with these parts. `call` answers for the types of what it resolves with. */
export function emulatorOf({ addresses, admin, call, close }: EmulatorParts): Emulator {
  const method = <Name extends Method>(name: Name): Emulator[Name] => {
    const run = async (...args: unknown[]) => await call(name, withoutTail(args));
    return run as Emulator[Name];
  };
  return {
    ...addresses,
    admin,
    counts: method("counts"),
    requests: method("requests"),
    script: method("script"),
    fault: method("fault"),
    unscript: method("unscript"),
    set: method("set"),
    state: method("state"),
    revoke: method("revoke"),
    issue: method("issue"),
    disconnect: method("disconnect"),
    now: method("now"),
    advance: method("advance"),
    reset: method("reset"),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The arguments without the optional ones at the end that were left out: JSON has no undefined. */
function withoutTail(args: readonly unknown[]): readonly unknown[] {
  const last = args.findLastIndex((argument) => argument !== undefined);
  return args.slice(0, last + 1);
}
