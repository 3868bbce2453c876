/**
 * What Deno lets a program do without asking anybody.
 *
 * @module
 */

/** A permission, as `Deno.permissions` names it. */
type Permission =
  | { readonly name: "env"; readonly variable: string }
  | { readonly name: "read"; readonly path: string };

interface DenoPermissions {
  querySync(descriptor: Permission): { readonly state: string };
}

/** Whether it is granted; always so on the other runtimes. Nobody is asked at a terminal. */
export function isPermitted(permission: Permission): boolean {
  const { Deno } = globalThis as { Deno?: { permissions?: DenoPermissions } };
  const state = Deno?.permissions?.querySync(permission).state;
  return state === undefined || state === "granted";
}
