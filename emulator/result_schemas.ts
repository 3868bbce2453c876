/**
 * What an emulator in another process answers, checked.
 *
 * @module
 */

import * as v from "valibot";
import { ENDPOINTS, endpointSchema, stateSchema } from "./schemas.ts";
import type { Method } from "./control.ts";
import type { Counts } from "./traffic.ts";
import type { AdminAccess, EmulatorAddresses } from "./types.ts";

const text = v.string();
const values = v.record(text, v.nullable(text));
const none = v.null();

const record = v.object({
  sequence: v.number(),
  time: v.number(),
  endpoint: endpointSchema,
  method: text,
  path: text,
  query: values,
  headers: values,
  authorizationScheme: v.nullable(text),
  fields: values,
  correlationId: v.nullable(text),
  thumbprint: v.nullable(text),
  tlsVersion: v.nullable(text),
  connection: v.number(),
  reusedConnection: v.boolean(),
  step: v.nullable(
    v.picklist(["pass", "respond", "amend", "hang", "drop", "truncate", "flood"]),
  ),
  status: v.nullable(v.number()),
});

const counts = v.object(
  Object.fromEntries(
    [...ENDPOINTS, "token_connections", "resource_connections"].map((name) => [name, v.number()]),
  ) as Record<keyof Counts, v.NumberSchema<undefined>>,
);

/** What each method resolves with; `null` stands for nothing. */
export const resultSchemas: Readonly<Record<Method, v.GenericSchema>> = {
  counts,
  requests: v.array(record),
  script: none,
  fault: none,
  unscript: none,
  set: none,
  state: stateSchema,
  revoke: none,
  issue: v.object({ certificate: text, pem: text, thumbprint: text }),
  disconnect: none,
  now: v.number(),
  advance: none,
  reset: none,
};

const url = v.pipe(v.string(), v.url(), v.maxLength(256));

const secret = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{16,128}$/, "Not a secret of an emulator."),
);

/** Addresses of an emulator. */
export const addressesSchema: v.GenericSchema<unknown, EmulatorAddresses> = v.object({
  metadata: url,
  mtls: url,
  resource: url,
  attestation: url,
  sources: v.object({
    appservice: v.object({ IDENTITY_ENDPOINT: url, IDENTITY_HEADER: secret }),
    servicefabric: v.object({
      IDENTITY_ENDPOINT: url,
      IDENTITY_HEADER: secret,
      IDENTITY_SERVER_THUMBPRINT: v.pipe(text, v.regex(/^[0-9A-F]{40}$/, "Not a SHA-1.")),
    }),
    machinelearning: v.object({
      MSI_ENDPOINT: url,
      MSI_SECRET: secret,
      DEFAULT_IDENTITY_CLIENT_ID: text,
    }),
    cloudshell: v.object({ MSI_ENDPOINT: url }),
    arc: v.object({ IDENTITY_ENDPOINT: url, IMDS_ENDPOINT: url }),
    imds: v.object({ AZURE_POD_IDENTITY_AUTHORITY_HOST: url }),
  }),
  serviceFabricCertificate: text,
  ca: text,
});

/** Access to the admin endpoint: on this host only, since the secret travels in the clear. */
export const adminSchema: v.GenericSchema<unknown, AdminAccess> = v.object({
  url: v.pipe(v.string(), v.regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/, "Not a loopback URL.")),
  secret,
});
