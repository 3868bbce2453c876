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

/** Those that are set and, on Deno, may be read without anybody being asked. */
export function hostEnvironment(): Environment {
  const readable = VARIABLES.filter((variable) => isPermitted({ name: "env", variable }));
  return Object.fromEntries(readable.map((name) => [name, process.env[name]]));
}
