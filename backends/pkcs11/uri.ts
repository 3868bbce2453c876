/**
 * `pkcs11:` URIs (RFC 7512).
 *
 * @module
 */

import { type Bytes, fromUtf8, utf8 } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";

/** What a URI says; what it doesn't say matches anything. */
export interface Pkcs11Uri {
  /** Label of the token. */
  readonly token?: string;
  /** Who made the token. */
  readonly manufacturer?: string;
  /** The token's serial number. */
  readonly serial?: string;
  /** The token's model. */
  readonly model?: string;
  /** Number of the slot; it changes from one start to the next with some modules. */
  readonly slotId?: number;
  /** Label of the object (`CKA_LABEL`). */
  readonly object?: string;
  /** Identifier of the object (`CKA_ID`), any bytes. */
  readonly id?: Bytes;
  /** Kind of object. */
  readonly type?: "cert" | "data" | "private" | "public" | "secret-key";
  /** Absolute path of a file that holds the PIN. */
  readonly pinSource?: string;
  /** Absolute path of the module. */
  readonly modulePath?: string;
}

/** Longest URI, characters. */
const MAX_LENGTH = 4096;

const PREFIX = "pkcs11:";

const TYPES: readonly string[] = ["cert", "data", "private", "public", "secret-key"];

/** Characters that stand for themselves (RFC 7512 section 2.3), beside `%XX`. */
const PATH_VALUE = /^(?:[\w\-.~:[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*$/;
const QUERY_VALUE = /^(?:[\w\-.~:[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*$/;

/** A URI under construction. */
type Draft = { -readonly [Name in keyof Pkcs11Uri]: Pkcs11Uri[Name] };

/** How an attribute is read; throws a sentence for a value that isn't one. */
type Reader = (draft: Draft, value: Bytes) => void;

const PATH_ATTRIBUTES: Readonly<Record<string, Reader>> = {
  token: (draft, value) => draft.token = fromUtf8(value),
  manufacturer: (draft, value) => draft.manufacturer = fromUtf8(value),
  serial: (draft, value) => draft.serial = fromUtf8(value),
  model: (draft, value) => draft.model = fromUtf8(value),
  object: (draft, value) => draft.object = fromUtf8(value),
  id: (draft, value) => draft.id = value,
  "slot-id": (draft, value) => {
    const digits = fromUtf8(value);
    if (!/^(0|[1-9]\d{0,14})$/.test(digits)) throw refused("'slot-id' is a decimal number.");
    draft.slotId = Number(digits);
  },
  type: (draft, value) => {
    const type = fromUtf8(value);
    if (!TYPES.includes(type)) throw refused(`'type' is one of ${TYPES.join(", ")}.`);
    draft.type = type as NonNullable<Pkcs11Uri["type"]>;
  },
};

const QUERY_ATTRIBUTES: Readonly<Record<string, Reader>> = {
  "module-path": (draft, value) => draft.modulePath = absolutePath("module-path", fromUtf8(value)),
  "module-name": () => {
    throw refused("'module-name' is not searched for; write 'module-path' with an absolute path.");
  },
  "pin-source": (draft, value) => {
    const source = fromUtf8(value).replace(/^file:(?:\/\/(?=\/))?/, "");
    draft.pinSource = absolutePath("pin-source", source);
  },
  "pin-value": () => {
    throw refused(
      "'pin-value' puts the PIN where command lines, logs and configuration show it; give 'pin' or 'pin-source'.",
    );
  },
};

/**
 * What a `pkcs11:` URI says.
 *
 * Throws `invalid_argument` for anything the grammar of RFC 7512 doesn't allow, for an attribute
 * that is unknown here or named twice, for `pin-value` and `module-name`, for paths that aren't
 * absolute, and for more than 4096 characters. The message holds no value of the URI.
 *
 * @example
 * ```ts
 * parsePkcs11Uri("pkcs11:token=keys;object=client;id=%01?pin-source=file:/etc/app/pin");
 * ```
 */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  if (!uri.startsWith(PREFIX) || uri.length > MAX_LENGTH) {
    throw refused(`It starts with '${PREFIX}' and has at most ${MAX_LENGTH} characters.`);
  }
  const [path = "", ...queries] = uri.slice(PREFIX.length).split("?");
  const draft: Draft = {};
  readAttributes(draft, path, ";", PATH_VALUE, PATH_ATTRIBUTES);
  readAttributes(draft, queries.join("?"), "&", QUERY_VALUE, QUERY_ATTRIBUTES);
  return Object.freeze(draft);
}

/**
 * The URI for an object or token, without PIN and module: what can be shown and logged.
 *
 * @example
 * ```ts
 * formatPkcs11Uri({ token: "keys", id: Uint8Array.of(1) }); // "pkcs11:token=keys;id=%01"
 * ```
 */
export function formatPkcs11Uri(parts: Omit<Pkcs11Uri, "modulePath" | "pinSource">): string {
  const text = (value: string | undefined) => value === undefined ? undefined : escape(utf8(value));
  const attributes: readonly (readonly [string, string | undefined])[] = [
    ["token", text(parts.token)],
    ["manufacturer", text(parts.manufacturer)],
    ["serial", text(parts.serial)],
    ["model", text(parts.model)],
    ["slot-id", text(parts.slotId?.toString())],
    ["object", text(parts.object)],
    ["id", parts.id && escapeAll(parts.id)],
    ["type", parts.type],
  ];
  return PREFIX + attributes.filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`).join(";");
}

function readAttributes(
  draft: Draft,
  text: string,
  separator: string,
  allowed: RegExp,
  readers: Readonly<Record<string, Reader>>,
): void {
  if (text === "") return;
  const seen = new Set<string>();
  for (const attribute of text.split(separator)) {
    const [name, ...rest] = attribute.split("=") as [string, ...string[]];
    const value = rest.join("=");
    if (!Object.hasOwn(readers, name) || rest.length === 0) {
      throw refused(`It has an attribute that is none of ${Object.keys(readers).join(", ")}.`);
    }
    if (seen.has(name)) throw refused(`It names '${name}' twice.`);
    seen.add(name);
    if (!allowed.test(value)) throw refused(`'${name}' has a character that must be written %XX.`);
    try {
      readers[name]!(draft, unescape(value));
    } catch (error) {
      throw isKeyboundError(error, "invalid_encoding") ? refused(`'${name}' is not UTF-8.`) : error;
    }
  }
}

function absolutePath(name: string, path: string): string {
  if (/^(\/(?!\/)|[A-Za-z]:[\\/])/.test(path) && !path.includes("\0")) return path;
  throw refused(`'${name}' is the absolute path of a file.`);
}

function unescape(value: string): Bytes {
  const octets = value.match(/%..|./g) ?? [];
  return Uint8Array.from(
    octets,
    (octet) => octet.length === 3 ? parseInt(octet.slice(1), 16) : octet.charCodeAt(0),
  );
}

function escape(octets: Bytes): string {
  return Array.from(octets, (octet) => {
    const character = String.fromCharCode(octet);
    return /[\w\-.~]/.test(character) ? character : escapeOctet(octet);
  }).join("");
}

function escapeAll(octets: Bytes): string {
  return Array.from(octets, escapeOctet).join("");
}

function escapeOctet(octet: number): string {
  return `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
}

function refused(reason: string): KeyboundError {
  return new KeyboundError("invalid_argument", `Not a pkcs11: URI (RFC 7512) to use. ${reason}`);
}
