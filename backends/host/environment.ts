/**
 * The environment variables that tell where managed identities come from.
 *
 * @module
 */

import process from "node:process";
import { METADATA_HOST_VARIABLE } from "../../src/imds/endpoint.ts";
import type { Environment } from "../../src/sources/source.ts";
import { isPermitted } from "./permissions.ts";

/** Names, as protocol.md section 7 has them. */
const VARIABLES = [
  METADATA_HOST_VARIABLE,
  "DEFAULT_IDENTITY_CLIENT_ID",
  "IDENTITY_ENDPOINT",
  "IDENTITY_HEADER",
  "IDENTITY_SERVER_THUMBPRINT",
  "IMDS_ENDPOINT",
  "MSI_ENDPOINT",
  "MSI_SECRET",
  "ProgramData",
  "ProgramFiles",
];

/** Variables that tell or forbid the region (protocol.md section 8.4). */
const REGION_VARIABLES = ["MSAL_DISABLE_REGION", "MSAL_FORCE_REGION", "REGION_NAME"];

/** Variables that name keys, libraries and stores: see `findPkcs11`, `findOpenssl`, `isStoreDisabled`. */
const BACKEND_VARIABLES = [
  "KEYBOUND_LIBCRYPTO",
  "KEYBOUND_LIBSSL",
  "KEYBOUND_PKCS11_URI",
  "MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE",
  "PKCS11_MODULE_PATH",
  "PKCS11_PROVIDER_MODULE",
];

/**
 * Those that tell where managed identities come from and which token keys are in, as far as they are
 * set and, on Deno, may be read without anybody being asked.
 */
export function hostEnvironment(): Environment {
  const readable = [...VARIABLES, ...REGION_VARIABLES, ...BACKEND_VARIABLES].filter((variable) =>
    isPermitted({ name: "env", variable })
  );
  return Object.fromEntries(readable.map((name) => [name, process.env[name]]));
}
