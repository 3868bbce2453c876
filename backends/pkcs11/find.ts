/**
 * The token that a host is set up to use.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { parsePkcs11Uri } from "./uri.ts";

/** A token and module to be used, and why these. */
export interface FoundPkcs11 {
  /** For `uri` of {@linkcode Pkcs11Options}; it names a token, and a PIN file where there is one. */
  readonly uri: string;
  /** For `module`. */
  readonly module: string;
  /** One sentence. */
  readonly reason: string;
}

/** The variable that names a token: a `pkcs11:` URI, with `pin-source` and perhaps `module-path`. */
export const URI_VARIABLE = "KEYBOUND_PKCS11_URI";

/** Variables that other programs take a module's path from, in the order in which they count. */
const MODULE_VARIABLES = ["PKCS11_PROVIDER_MODULE", "PKCS11_MODULE_PATH"];

const TPM_DEVICE = "/dev/tpmrm0";

/** Where distributions put the module of tpm2-pkcs11. */
const TPM_MODULES = [
  "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib64/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib/pkcs11/libtpm2_pkcs11.so",
];

/**
 * The token that `KEYBOUND_PKCS11_URI` names, in the module of the first of: its `module-path`,
 * `PKCS11_PROVIDER_MODULE`, `PKCS11_MODULE_PATH`, tpm2-pkcs11 where there is a TPM. `undefined`
 * where the variable isn't set: a module alone says nothing of token and PIN.
 *
 * Looks at nothing but what it is given. Rejects with `invalid_argument` for a URI that isn't one,
 * and where no module is there: a host that is set up wrong must not get weaker keys unnoticed.
 */
export async function findPkcs11(
  environment: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => Promise<boolean>,
): Promise<FoundPkcs11 | undefined> {
  const uri = environment[URI_VARIABLE];
  if (uri === undefined || uri === "") return undefined;
  const { modulePath } = parsePkcs11Uri(uri);
  const named = [
    [modulePath, `'module-path' of ${URI_VARIABLE}`] as const,
    ...MODULE_VARIABLES.map((name) => [environment[name], name] as const),
  ];
  for (const [module, source] of named) {
    if (module === undefined || module === "") continue;
    if (await exists(module)) return found(uri, module, `by ${source}`);
    throw missing(`There is no file '${module}', which ${source} names.`);
  }
  if (await exists(TPM_DEVICE)) {
    for (const module of TPM_MODULES) {
      if (await exists(module)) return found(uri, module, "because this host has a TPM");
    }
  }
  throw missing(`${URI_VARIABLE} names no 'module-path', and no module was found.`);
}

function found(uri: string, module: string, why: string): FoundPkcs11 {
  const reason = `Keys in the token of ${URI_VARIABLE}, module '${module}' ${why}.`;
  return { uri, module, reason };
}

function missing(what: string): KeyboundError {
  return new KeyboundError("invalid_argument", `${what} Install the module or correct its path.`);
}
