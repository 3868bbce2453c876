/**
 * Reads a PKCS#12 file (RFC 7292) through pkijs, which is loaded when it is used.
 *
 * @module
 */

import type { SafeBag } from "pkijs";
import { type Bytes, utf8 } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { readDer } from "../../src/x509/der.ts";
import {
  decryptTripleDes,
  MAX_ITERATIONS,
  PBE_SHA1_TRIPLE_DES,
  readIterations,
  readPbeParameters,
} from "./legacy_encryption.ts";

type Pkijs = typeof import("pkijs");
type Engine = InstanceType<Pkijs["CryptoEngine"]>;
type Decryption = Parameters<Engine["decryptEncryptedContentInfo"]>[0];

/** What a file holds, as DER. */
export interface Archive {
  /** Private keys, PKCS#8. */
  readonly keys: readonly Bytes[];
  /** X.509 certificates. */
  readonly certificates: readonly Bytes[];
}

/** Largest file that is read, in bytes. */
const MAX_FILE = 1_048_576;

/** What a key derivation counts for at least: many short ones take their time as well. */
const FEWEST_ROUNDS = 1000;

const PBES2 = "1.2.840.113549.1.5.13";
const KEY_BAG = "1.2.840.113549.1.12.10.1.1";
const SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";

/**
 * The keys and certificates of a file, its integrity checked where it has a MAC.
 *
 * Rejects with `missing_dependency`, `wrong_password` where the MAC or the encryption doesn't fit,
 * `invalid_credential_material` for what is no such file or is encrypted in a way not known here.
 */
export async function readArchive(
  file: Uint8Array,
  password: string,
  crypto: Crypto,
): Promise<Archive> {
  const pkijs = await loadPkijs();
  const pfx = parsePfx(pkijs, file);
  const spend = roundsOfFile();
  spend(pfx.macData?.iterations ?? 0);
  const engine = engineWith(pkijs, password, crypto, spend);
  const secret = utf8(password).buffer;
  try {
    const checkIntegrity = pfx.macData !== undefined;
    await pfx.parseInternalValues({ password: secret, checkIntegrity }, engine);
    const safe = pfx.parsedValue?.authenticatedSafe;
    if (safe === undefined) throw unreadable("it is protected by public keys");
    const safeContents = safe.safeContents.map(() => ({ password: secret }));
    await safe.parseInternalValues({ safeContents }, engine);
    const contents: { value: { safeBags: SafeBag[] } }[] = safe.parsedValue.safeContents;
    const bags = contents.flatMap(({ value }) => value.safeBags);
    const keys: Bytes[] = [];
    const certificates: Bytes[] = [];
    for (const bag of bags) {
      const key = await keyIn(pkijs, bag, secret, engine);
      const certificate = certificateIn(pkijs, bag);
      if (key !== undefined) keys.push(key);
      if (certificate !== undefined) certificates.push(certificate);
    }
    return { keys, certificates };
  } catch (cause) {
    if (isKeyboundError(cause, "invalid_der")) throw unreadable("its encryption is odd", cause);
    if (isKeyboundError(cause)) throw cause;
    throw new KeyboundError(
      "wrong_password",
      "The password doesn't fit the PKCS#12 file, or the file was damaged.",
      { cause },
    );
  }
}

async function loadPkijs(): Promise<Pkijs> {
  try {
    return await import("pkijs");
  } catch (cause) {
    throw new KeyboundError(
      "missing_dependency",
      "PKCS#12 files need one more package: npm install pkijs.",
      { cause },
    );
  }
}

function parsePfx(pkijs: Pkijs, file: Uint8Array): InstanceType<Pkijs["PFX"]> {
  if (file.length > MAX_FILE) throw unreadable("it is larger than 1 MiB");
  try {
    return pkijs.PFX.fromBER(file.slice());
  } catch (cause) {
    throw unreadable("it isn't one", cause);
  }
}

/** To be told the rounds of each key derivation before it; throws once they are too many in all. */
type Spend = (rounds: number) => void;

function roundsOfFile(): Spend {
  let left = MAX_ITERATIONS;
  return (rounds) => {
    left -= Math.max(rounds, FEWEST_ROUNDS);
    if (left < 0) throw unreadable("its encryption takes too long");
  };
}

/** pkijs on WebCrypto, with what WebCrypto lacks. */
function engineWith(
  { CryptoEngine }: Pkijs,
  password: string,
  crypto: Crypto,
  spend: Spend,
): Engine {
  class Pkcs12Engine extends CryptoEngine {
    override async decryptEncryptedContentInfo(parameters: Decryption): Promise<ArrayBuffer> {
      const { encryptedContentInfo: info } = parameters;
      const { algorithmId, algorithmParams } = info.contentEncryptionAlgorithm;
      if (algorithmId === PBES2) {
        spend(roundsOf(new Uint8Array(algorithmParams.toBER(false))));
        return await super.decryptEncryptedContentInfo(parameters);
      }
      if (algorithmId !== PBE_SHA1_TRIPLE_DES) {
        throw unreadable(
          `it is encrypted by ${algorithmId}; export it anew with AES-256 or triple DES`,
        );
      }
      const pbe = readPbeParameters(new Uint8Array(algorithmParams.toBER(false)));
      // Two digests for the key and one for the vector take as many rounds each.
      spend(3 * pbe.iterations);
      const ciphertext = new Uint8Array(info.getEncryptedContent());
      return decryptTripleDes(ciphertext, password, pbe).buffer;
    }
  }
  return new Pkcs12Engine({ name: "keybound", crypto });
}

/** Rounds of the key derivation in `PBES2-params` (RFC 8018 appendix A.4). */
function roundsOf(der: Bytes): number {
  const [derivation] = readDer(der).members;
  const rounds = derivation?.members[1]?.members[1];
  if (rounds === undefined) throw unreadable("its encryption has no key derivation");
  return readIterations(rounds);
}

async function keyIn(
  pkijs: Pkijs,
  { bagId, bagValue }: SafeBag,
  password: ArrayBuffer,
  engine: Engine,
): Promise<Bytes | undefined> {
  if (bagId === KEY_BAG && bagValue instanceof pkijs.PrivateKeyInfo) return derOf(bagValue);
  if (bagId !== SHROUDED_KEY_BAG || !(bagValue instanceof pkijs.PKCS8ShroudedKeyBag)) {
    return undefined;
  }
  // What is declared as protected is how pkijs reads all shrouded keys.
  const shrouded = bagValue as unknown as {
    parseInternalValues(options: { password: ArrayBuffer }, engine: Engine): Promise<void>;
    parsedValue?: InstanceType<Pkijs["PrivateKeyInfo"]>;
  };
  await shrouded.parseInternalValues({ password }, engine);
  return shrouded.parsedValue === undefined ? undefined : derOf(shrouded.parsedValue);
}

function certificateIn(pkijs: Pkijs, { bagId, bagValue }: SafeBag): Bytes | undefined {
  if (bagId !== CERTIFICATE_BAG || !(bagValue instanceof pkijs.CertBag)) return undefined;
  if (bagValue.certId !== X509_CERTIFICATE) return undefined;
  // As it is, not as pkijs would write it: its bytes are what was signed.
  const { certValue } = bagValue;
  return "getValue" in certValue ? new Uint8Array(certValue.getValue()) : undefined;
}

function derOf(key: InstanceType<Pkijs["PrivateKeyInfo"]>): Bytes {
  return new Uint8Array(key.toSchema().toBER());
}

function unreadable(reason: string, cause?: unknown): KeyboundError {
  return new KeyboundError(
    "invalid_credential_material",
    `The PKCS#12 file can't be read: ${reason}.`,
    { cause },
  );
}
