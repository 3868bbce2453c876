/**
 * Whether a server's certificate is for a host, by its subject alternative names alone
 * (RFC 9525): what CryptoAPI makes of a common name or an IP address differs by version.
 *
 * @module
 */

import { isIP } from "node:net";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { type DerElement, readDer, readOid } from "../../src/x509/der.ts";
import { BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE } from "../../src/x509/der_tags.ts";

const SUBJECT_ALT_NAME = "2.5.29.17";

/** `[3] Extensions` of TBSCertificate. */
const EXTENSIONS = 0xa3;
/** `dNSName` and `iPAddress` of GeneralName (RFC 5280 section 4.2.1.6). */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

/**
 * Whether this certificate (DER) is for this host: a DNS name, whose first label a `*` of the
 * certificate may stand for, or an IP address. Throws `invalid_der`.
 */
export function isFor(certificate: Bytes, host: string): boolean {
  const names = subjectAltNames(certificate);
  const address = addressBytes(host);
  if (address !== undefined) {
    return names.some(({ tag, content }) => tag === IP_ADDRESS && equalBytes(content, address));
  }
  const wanted = labels(host);
  return names.some(({ tag, content }) =>
    tag === DNS_NAME && matches(labels(String.fromCharCode(...content)), wanted)
  );
}

function subjectAltNames(certificate: Bytes): readonly DerElement[] {
  const [tbs] = readDer(certificate).members;
  const extensions = tbs?.members.find(({ tag }) => tag === EXTENSIONS)?.members[0]?.members ?? [];
  for (const { members } of extensions) {
    const [type, ...rest] = members;
    if (type?.tag !== OBJECT_IDENTIFIER || readOid(type) !== SUBJECT_ALT_NAME) continue;
    const value = rest[0]?.tag === BOOLEAN ? rest[1] : rest[0];
    if (value?.tag === OCTET_STRING) return readDer(value.content.slice(), SEQUENCE).members;
  }
  return [];
}

/** In lower case, without the dot of the root. */
function labels(name: string): readonly string[] {
  return name.toLowerCase().replace(/\.$/, "").split(".");
}

function matches(presented: readonly string[], wanted: readonly string[]): boolean {
  if (presented.length !== wanted.length || wanted.includes("")) return false;
  // A wildcard for a whole top-level domain is nobody's.
  const wildcard = presented[0] === "*" && presented.length > 2;
  return presented.every((label, i) => label === wanted[i] || (i === 0 && wildcard));
}

/** The octets of an IP address; `undefined` for what isn't one. */
function addressBytes(host: string): Bytes | undefined {
  switch (isIP(host)) {
    case 4:
      return Uint8Array.from(host.split("."), Number);
    case 6:
      return ipv6Bytes(host);
    default:
      return undefined;
  }
}

function ipv6Bytes(host: string): Bytes | undefined {
  // The URL parser writes all forms alike, an embedded IPv4 address included; a zone isn't part.
  const [address = ""] = host.split("%");
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((part) => parseInt(part, 16));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros = new Array<number>(8 - first.length - last.length).fill(0);
  return Uint8Array.from(
    [...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 255]),
  );
}
