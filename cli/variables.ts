/**
 * The environment variables that say something about a host, and how each must look. Values are
 * looked at, never shown.
 *
 * @module
 */

import { parseUrl } from "../src/parse.ts";

/** A variable and what is wrong with a value. */
export interface Variable {
  /** Its name. */
  readonly name: string;
  /** What is wrong with this value, as the rest of a sentence; `undefined` where nothing is. */
  fault(value: string): string | undefined;
}

const anything = () => undefined;

const url = (value: string) => {
  const { protocol = "", username, password } = parseUrl(value) ?? {};
  if (!/^https?:$/.test(protocol)) return "is no http or https URL";
  return username || password ? "is a URL with a user or password in it" : undefined;
};

const absolute = (value: string) =>
  /^(\/|[A-Za-z]:[\\/])/.test(value) ? undefined : "is no absolute path";

const matches = (pattern: RegExp, what: string) => (value: string) =>
  pattern.test(value) ? undefined : `is not ${what}`;

/** Those that name sources of managed identity, tokens that keys are in, and libraries. */
export const HOST_VARIABLES: readonly Variable[] = [
  { name: "AZURE_POD_IDENTITY_AUTHORITY_HOST", fault: url },
  { name: "DEFAULT_IDENTITY_CLIENT_ID", fault: anything },
  { name: "IDENTITY_ENDPOINT", fault: url },
  { name: "IDENTITY_HEADER", fault: matches(/^[\x21-\x7e]+$/, "a secret in printable ASCII") },
  {
    name: "IDENTITY_SERVER_THUMBPRINT",
    fault: matches(/^[0-9a-f]{40}$/i, "a SHA-1 of 40 hex digits"),
  },
  { name: "IMDS_ENDPOINT", fault: url },
  { name: "MSI_ENDPOINT", fault: url },
  { name: "MSI_SECRET", fault: matches(/^[\x21-\x7e]+$/, "a secret in printable ASCII") },
  { name: "ProgramData", fault: anything },
  { name: "ProgramFiles", fault: anything },
  { name: "KEYBOUND_LIBCRYPTO", fault: anything },
  { name: "KEYBOUND_LIBSSL", fault: anything },
  { name: "KEYBOUND_PKCS11_URI", fault: matches(/^pkcs11:/i, "a pkcs11: URI") },
  { name: "MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE", fault: anything },
  { name: "PKCS11_MODULE_PATH", fault: absolute },
  { name: "PKCS11_PROVIDER_MODULE", fault: absolute },
];

/** Those that the program itself takes options from. */
export const OWN_VARIABLES: readonly Variable[] = [
  { name: "KEYBOUND_CA", fault: anything },
  { name: "KEYBOUND_DIRECTORY", fault: anything },
];

/** A variable that changes how the runtime does TLS or HTTP, and what that means here. */
export interface RuntimeVariable {
  /** Its name. */
  readonly name: string;
  /** Whether this value changes anything. */
  matters(value: string): boolean;
  /** What it means. */
  readonly detail: string;
  /** What to do; none where it is only worth knowing. */
  readonly advice?: string;
}

const always = () => true;

/** For plain http. Of ours, that is the metadata service and sources of the host, which go direct. */
const httpProxy = (name: string): RuntimeVariable => ({
  name,
  matters: always,
  detail: "is set: the metadata service and sources are asked directly all the same.",
});

/** For https: plain fetch may honour it; requests that carry a certificate never do. */
const httpsProxy = (name: string): RuntimeVariable => ({
  name,
  matters: always,
  detail:
    "is set: bearer tokens may go through it; bound ones need their servers to be reachable " +
    "directly.",
});

/** Those of the runtime that matter here. */
export const RUNTIME_VARIABLES: readonly RuntimeVariable[] = [
  {
    name: "NODE_TLS_REJECT_UNAUTHORIZED",
    matters: (value) => value === "0",
    detail: "is 0: other code of a process doesn't verify servers; bound requests still do.",
    advice: "Unset it, and name the CA instead: --ca, or NODE_EXTRA_CA_CERTS.",
  },
  {
    name: "NODE_EXTRA_CA_CERTS",
    matters: always,
    detail: "is set: Node trusts those authorities besides its own.",
  },
  ...["HTTP_PROXY", "http_proxy"].map(httpProxy),
  ...["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].map(httpsProxy),
];
