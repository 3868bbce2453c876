/**
 * The fuzz entries by name: one for each reader of bytes from outside, or a few that read alike.
 *
 * @module
 */

import * as accessToken from "./entries/access_token.ts";
import * as args from "./entries/arguments.ts";
import * as certificate from "./entries/certificate.ts";
import * as certificateHeader from "./entries/certificate_header.ts";
import * as challenge from "./entries/challenge.ts";
import * as claims from "./entries/claims.ts";
import * as clientHello from "./entries/client_hello.ts";
import * as cngStructs from "./entries/cng_structs.ts";
import * as credentialPem from "./entries/credential_pem.ts";
import * as csr from "./entries/csr.ts";
import * as der from "./entries/der.ts";
import * as ecdsa from "./entries/ecdsa.ts";
import * as emulatorSettings from "./entries/emulator_settings.ts";
import * as errorBody from "./entries/error_body.ts";
import * as friendlyName from "./entries/friendly_name.ts";
import * as imds from "./entries/imds.ts";
import * as pem from "./entries/pem.ts";
import * as pkcs11Structs from "./entries/pkcs11_structs.ts";
import * as pkcs11Uri from "./entries/pkcs11_uri.ts";
import * as pkcs12 from "./entries/pkcs12.ts";
import * as proxiedRequest from "./entries/proxied_request.ts";
import * as serverFlight from "./entries/server_flight.ts";
import * as serverMetadata from "./entries/server_metadata.ts";
import * as storedBinding from "./entries/stored_binding.ts";
import * as times from "./entries/times.ts";
import * as tokenAnswer from "./entries/token_answer.ts";
import type { FuzzEntry } from "./support/entry.ts";

/** The entries, by the names of their files and of their folders in the corpus. */
export const ENTRIES: Readonly<Record<string, FuzzEntry>> = {
  access_token: accessToken,
  arguments: args,
  certificate,
  certificate_header: certificateHeader,
  challenge,
  claims,
  client_hello: clientHello,
  cng_structs: cngStructs,
  credential_pem: credentialPem,
  csr,
  der,
  ecdsa,
  emulator_settings: emulatorSettings,
  error_body: errorBody,
  friendly_name: friendlyName,
  imds,
  pem,
  pkcs11_structs: pkcs11Structs,
  pkcs11_uri: pkcs11Uri,
  pkcs12,
  proxied_request: proxiedRequest,
  server_flight: serverFlight,
  server_metadata: serverMetadata,
  stored_binding: storedBinding,
  times,
  token_answer: tokenAnswer,
};
