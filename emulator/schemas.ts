/**
 * What comes in from outside, checked: options, state, revocations, names.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import * as v from "valibot";
import { KeyboundError } from "../src/errors.ts";
import type { EndpointName, MtlsListener } from "./traffic.ts";
import type {
  EmulatorOptions,
  EmulatorState,
  IssueRequest,
  ListenerName,
  Revocation,
} from "./types.ts";

/** Milliseconds of a hundred years: beyond it a date is a mistake. */
const CENTURY = 100 * 365 * 24 * 3600_000;

const uuid = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "Not a UUID."),
);
const text = v.pipe(v.string(), v.maxLength(4096));
/** An integer within these bounds, both included. */
export const integer = (
  minimum: number,
  maximum: number,
): v.GenericSchema<unknown, number> =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum));
/** A path that can stand in a header. */
const headerPath = v.pipe(text, v.regex(/^[\x20-\x7e]+$/, "Not a path of printable ASCII."));
const duration = integer(-CENTURY, CENTURY);

/** Names of endpoints. */
export const ENDPOINTS: readonly EndpointName[] = [
  "getplatformmetadata",
  "imdsv2_probe",
  "issuecredential",
  "imdsv1",
  "imdsv1_probe",
  "compute",
  "appservice",
  "machinelearning",
  "cloudshell",
  "arc",
  "servicefabric",
  "attest",
  "token",
  "jwks",
  "openid_configuration",
  "resource",
  "unknown",
];

/** Name of an endpoint. */
export const endpointSchema: v.GenericSchema<unknown, EndpointName> = v.picklist(ENDPOINTS);

/** Name of an mTLS listener. */
export const listenerSchema: v.GenericSchema<unknown, MtlsListener> = v.picklist([
  "token",
  "resource",
]);

const state = v.strictObject({
  clockOffset: duration,
  v1Only: v.boolean(),
  attestation: v.picklist(["optional", "required"]),
  acceptEc: v.boolean(),
  certificateLifetime: duration,
  certificateBackdate: duration,
  wrongCertificateKey: v.boolean(),
  revocation: v.picklist(["invalid_client", "reset"]),
  tokenLifetime: duration,
  tokenRefreshIn: v.nullable(duration),
  tokenType: v.nullable(text),
  tokenAudience: v.nullable(text),
  tokenBound: v.boolean(),
  audiences: v.pipe(v.array(text), v.maxLength(1000)),
  acceptBearer: v.boolean(),
  serverCertificate: v.picklist(["valid", "expired", "wrong_host", "untrusted"]),
  maxTlsVersion: v.picklist(["TLSv1.2", "TLSv1.3"]),
  certificateOverTls13: v.boolean(),
  compute: v.strictObject({ location: text, osType: text, securityType: text }),
});

/** An {@linkcode EmulatorState}. */
export const stateSchema: v.GenericSchema<unknown, EmulatorState> = state;

/** Changes of an {@linkcode EmulatorState}. */
export const changesSchema: v.GenericSchema<unknown, Partial<EmulatorState>> = v.partial(state);

/** All listeners. */
export const LISTENERS: readonly ListenerName[] = [
  "metadata",
  "mtls",
  "resource",
  "attestation",
  "sources",
  "serviceFabric",
  "admin",
];

const portsSchema = v.pipe(
  v.partial(v.strictObject(v.entriesFromList(LISTENERS, integer(0, 65_535)))),
  v.check((ports) => {
    const fixed = Object.values(ports).filter((port) => port !== 0);
    return new Set(fixed).size === fixed.length;
  }, "Two listeners can't have the same port."),
);

/** {@linkcode EmulatorOptions}. */
export const optionsSchema: v.GenericSchema<unknown, EmulatorOptions> = v.strictObject({
  ports: v.optional(portsSchema),
  identities: v.optional(v.pipe(
    v.array(v.strictObject({
      kind: v.picklist(["system", "user"]),
      clientId: uuid,
      tenantId: v.optional(uuid),
      objectId: v.optional(uuid),
      resourceId: v.optional(text),
    })),
    v.maxLength(1000),
    v.check(
      (list) => list.filter((identity) => identity.kind === "system").length < 2,
      "A host has at most one system-assigned identity.",
    ),
  )),
  applications: v.optional(v.pipe(
    v.array(v.strictObject({ clientId: uuid, tenantId: v.optional(uuid) })),
    v.maxLength(1000),
  )),
  cuId: v.optional(v.pipe(
    v.strictObject({ vmId: v.optional(text), vmssId: v.optional(text) }),
    v.check((cuId) => Boolean(cuId.vmId || cuId.vmssId), "Give a vmId, a vmssId or both."),
  )),
  arcChallengeDirectory: v.optional(v.pipe(
    headerPath,
    v.check((path) => isAbsolute(path), "Not an absolute path."),
  )),
  arcAnnouncedDirectory: v.optional(headerPath),
  history: v.optional(integer(1, 100_000)),
  state: v.optional(changesSchema),
});

const digests = v.optional(v.pipe(
  v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/, "Not a base64url SHA-256."))),
  v.maxLength(10_000),
));

/** A {@linkcode Revocation}. */
export const revocationSchema: v.GenericSchema<unknown, Revocation> = v.strictObject({
  issued: v.optional(v.boolean()),
  thumbprints: digests,
  keys: digests,
});

/** An {@linkcode IssueRequest}. */
export const issueSchema: v.GenericSchema<unknown, IssueRequest> = v.strictObject({
  spki: v.pipe(v.string(), v.base64(), v.maxLength(4096)),
  clientId: uuid,
  tenantId: v.optional(uuid),
  lifetime: v.optional(duration),
});

/** `input` by `schema`; throws `invalid_argument` that names the place. */
export function check<T>(schema: v.GenericSchema<unknown, T>, input: unknown, name: string): T {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = [name, v.getDotPath(issue)].filter(Boolean).join(".");
  // Names and values in it are the sender's.
  const reason = `${place}: ${issue.message}`.replace(/\p{Cc}+/gu, " ").slice(0, 600);
  throw new KeyboundError("invalid_argument", `Not understood at ${reason}`);
}
