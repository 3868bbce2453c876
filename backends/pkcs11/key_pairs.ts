/**
 * Key pairs as objects of a token.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Bytes, equalBytes, utf8 } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyAlgorithm, KeyStrength } from "../../src/keys.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { CKA, CKF, CKM, CKO, CKR } from "./constants.ts";
import type { Handle, KeyPairHandles } from "./cryptoki.ts";
import { assertDistinctHandles } from "./handles.ts";
import type { Operation } from "../ffi/operation.ts";
import { ecSpki, P256_PARAMETERS, rsaSpki } from "./public_key.ts";
import { ReturnCodeError } from "./return_codes.ts";
import type { Attribute } from "./structs.ts";
import type { SessionFacts } from "./token.ts";

/** Where to look for a key: `CKA_ID`, `CKA_LABEL`, or both. */
export interface KeyPlace {
  readonly id?: Bytes | undefined;
  readonly label?: string | undefined;
}

/** The objects of one place. */
export interface KeyObjects {
  readonly privateKeys: readonly Handle[];
  readonly publicKeys: readonly Handle[];
  readonly certificates: readonly Handle[];
}

/** Bytes of the `CKA_ID` of a key made here. */
const ID_LENGTH = 20;

/** Longest `CKA_LABEL` of a key made here, bytes; what follows in the name is in the id anyway. */
const MAX_LABEL = 64;

/**
 * Where the key of this name is: its `CKA_ID` is the first 20 bytes of the SHA-256 of the name in
 * JSON (which tells all names apart, lone surrogates included).
 */
export function keyPlace(name: string): { readonly id: Bytes } {
  const digest = createHash("sha256").update(JSON.stringify(name)).digest();
  return { id: new Uint8Array(digest.subarray(0, ID_LENGTH)) };
}

/** The `CKA_LABEL` of a key of this name: its beginning, for people to read. */
export function keyLabel(name: string): string {
  let label = "";
  for (const character of name) {
    if (utf8(label + character).length > MAX_LABEL) break;
    label += character;
  }
  return label;
}

/**
 * The objects in this place.
 *
 * Fails with a return code of class `login` where there seem to be no private keys only because
 * somebody has logged out: an empty answer is to be trusted.
 */
export function* findKeyObjects(
  { cryptoki, session, info }: SessionFacts,
  { id, label }: KeyPlace,
): Operation<KeyObjects> {
  const where: Attribute[] = [];
  if (id !== undefined) where.push([CKA.ID, id]);
  if (label !== undefined) where.push([CKA.LABEL, utf8(label)]);
  const find = (kind: number) => cryptoki.find(session, [cryptoki.ofClass(kind), ...where]);
  const privateKeys = yield* find(CKO.PRIVATE_KEY);
  if (
    privateKeys.length === 0 && (info.flags & CKF.LOGIN_REQUIRED) !== 0 &&
    !(yield* cryptoki.isLoggedIn(session))
  ) {
    throw new ReturnCodeError("C_FindObjects", CKR.USER_NOT_LOGGED_IN);
  }
  const publicKeys = yield* find(CKO.PUBLIC_KEY);
  const certificates = yield* find(CKO.CERTIFICATE);
  return { privateKeys, publicKeys, certificates };
}

/**
 * The public keys that these objects tell of, each once: from public keys, else from private ones
 * (many tokens keep both halves there), else from certificates.
 */
export function* publicKeysOf(
  session: SessionFacts,
  { publicKeys, privateKeys, certificates }: KeyObjects,
): Operation<Bytes[]> {
  for (
    const [handles, read] of [
      [publicKeys, spkiOfKey],
      [privateKeys, spkiOfKey],
      [certificates, spkiOfCertificate],
    ] as const
  ) {
    const found: Bytes[] = [];
    for (const handle of handles) {
      const spki = yield* read(session, handle);
      if (spki !== undefined && !found.some((other) => equalBytes(other, spki))) found.push(spki);
    }
    if (found.length > 0) return found;
  }
  return [];
}

/** The SPKI of a key object; `undefined` where it doesn't tell. */
function* spkiOfKey(
  { cryptoki, session }: SessionFacts,
  key: Handle,
): Operation<Bytes | undefined> {
  const modulus = yield* cryptoki.attribute(session, key, CKA.MODULUS);
  const exponent = yield* cryptoki.attribute(session, key, CKA.PUBLIC_EXPONENT);
  if (modulus?.length && exponent?.length) return rsaSpki(modulus, exponent);
  const parameters = yield* cryptoki.attribute(session, key, CKA.EC_PARAMS);
  const point = yield* cryptoki.attribute(session, key, CKA.EC_POINT);
  return parameters?.length && point?.length ? ecSpki(parameters, point) : undefined;
}

function* spkiOfCertificate(
  { cryptoki, session }: SessionFacts,
  certificate: Handle,
): Operation<Bytes | undefined> {
  const value = yield* cryptoki.attribute(session, certificate, CKA.VALUE);
  return value && parseCertificate(value).spki;
}

/** `hardware` for a key that the token never gives away; `software` where it might. */
export function* strengthOf(
  { cryptoki, session }: SessionFacts,
  privateKey: Handle,
): Operation<KeyStrength> {
  const sensitive = yield* cryptoki.attribute(session, privateKey, CKA.SENSITIVE);
  const extractable = yield* cryptoki.attribute(session, privateKey, CKA.EXTRACTABLE);
  return sensitive?.[0] === 1 && extractable?.[0] === 0 ? "hardware" : "software";
}

/** Whether the key wants the PIN for each signature, as a PIV slot 9c does. */
export function* wantsPinEachTime(
  { cryptoki, session }: SessionFacts,
  privateKey: Handle,
): Operation<boolean> {
  const flag = yield* cryptoki.attribute(session, privateKey, CKA.ALWAYS_AUTHENTICATE);
  return flag?.[0] === 1;
}

/**
 * A new key pair of the name, beside any that was there, that never leaves the token.
 *
 * Throws `unsupported_key` for an algorithm that isn't known here.
 */
export function* generateKeyPair(
  facts: SessionFacts,
  name: string,
  algorithm: KeyAlgorithm,
): Operation<KeyPairHandles> {
  const { cryptoki, session } = facts;
  const [type, parameters] = generation(algorithm, (value) => cryptoki.number(value));
  const [yes, no] = [Uint8Array.of(1), Uint8Array.of(0)];
  const common: Attribute[] = [
    [CKA.TOKEN, yes],
    [CKA.LABEL, utf8(keyLabel(name))],
    [CKA.ID, keyPlace(name).id],
  ];
  const pair = yield* cryptoki.generateKeyPair(
    session,
    { type },
    [...common, [CKA.VERIFY, yes], ...parameters],
    [
      ...common,
      [CKA.PRIVATE, yes],
      [CKA.SENSITIVE, yes],
      [CKA.EXTRACTABLE, no],
      [CKA.SIGN, yes],
    ],
  );
  yield* assertDistinctHandles(facts);
  return pair;
}

/** Destroys objects, private keys first so that none is left without its name. */
export function* destroyKeys(
  { cryptoki, session, touch }: SessionFacts,
  { privateKeys, publicKeys }: Pick<KeyObjects, "privateKeys" | "publicKeys">,
): Operation<void> {
  try {
    for (const handle of [...privateKeys, ...publicKeys]) {
      yield* cryptoki.destroyObject(session, handle);
    }
  } finally {
    touch();
  }
}

function generation(
  algorithm: KeyAlgorithm,
  number: (value: number) => Bytes,
): [mechanism: number, parameters: readonly Attribute[]] {
  switch (algorithm) {
    case "P-256":
      return [CKM.EC_KEY_PAIR_GEN, [[CKA.EC_PARAMS, P256_PARAMETERS]]];
    case "RSA-2048":
    case "RSA-3072":
      return [CKM.RSA_PKCS_KEY_PAIR_GEN, [
        [CKA.MODULUS_BITS, number(Number(algorithm.slice(4)))],
        [CKA.PUBLIC_EXPONENT, Uint8Array.of(1, 0, 1)],
      ]];
    default:
      throw new KeyboundError(
        "unsupported_key",
        `Keys of kind '${
          String(algorithm)
        }' can't be made here. Choose P-256, RSA-2048 or RSA-3072.`,
      );
  }
}
