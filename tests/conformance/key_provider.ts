/**
 * What every key provider does: the sentences of `src/keys.ts` as tests. A backend is done when it
 * passes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, equalBytes, hex, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import {
  isPemExportable,
  isSyncSigner,
  type KeyAlgorithm,
  type KeyProvider,
  type KeyStrength,
  type SignatureScheme,
  type SigningKey,
} from "../../src/keys.ts";
import { decodePem } from "../../src/x509/pem.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";

/** A provider to be examined, empty. */
export interface KeyProviderUnderTest {
  readonly provider: KeyProvider;
  /** One more provider over the same keys, as another process would have it. */
  readonly another?: () => Promise<KeyProvider>;
  /** Disposes of the provider and its keys. */
  readonly cleanup?: () => Promise<void>;
}

/** What is to be expected of the backend. */
export interface KeyProviderTraits {
  /** What `name` says. */
  readonly name: string;
  /** Where its keys live. @default "software" */
  readonly strength?: KeyStrength;
  /** What it can make. @default all */
  readonly algorithms?: readonly KeyAlgorithm[];
  /** Whether a removed key that was handed out before signs no more. @default false */
  readonly removalIsImmediate?: boolean;
}

const DATA = utf8("To be signed, as it is and not as its digest.");

const ODD_IDS = [
  "KeyGuardRSAKey",
  "keyguardrsakey",
  "with space",
  "../../etc/passwd",
  "a/b\\c:d*e?f",
  ".",
  "con",
  "%2e",
  "schlüssel-キー-🔑",
  "schlu\u0308ssel-キー-🔑",
  "x".repeat(300),
];

/** The suite, for the provider that `make` makes. */
export function describeKeyProvider(
  title: string,
  make: () => Promise<KeyProviderUnderTest>,
  traits: KeyProviderTraits,
): void {
  const { name, strength = "software", removalIsImmediate = false } = traits;
  const { algorithms = ["P-256", "RSA-2048", "RSA-3072"] } = traits;
  const quickest = algorithms[0]!;

  /** Runs a test on a provider of its own. */
  const examine =
    (examination: (subject: KeyProviderUnderTest) => Promise<void>) => async (): Promise<void> => {
      const subject = await make();
      try {
        await examination(subject);
      } finally {
        await subject.cleanup?.();
      }
    };

  describe(`${title} as a key provider`, () => {
    it(
      "opens nothing where there is no key",
      examine(async ({ provider }) => {
        assert.equal(await provider.open("absent"), undefined);
      }),
    );

    it(
      "says its name",
      examine(({ provider }) => {
        assert.equal(provider.name, name);
        return Promise.resolve();
      }),
    );

    it(
      "refuses to make a key of a kind it doesn't know with unsupported_key",
      examine(async ({ provider }) => {
        const algorithm = "P-192" as KeyAlgorithm;
        await assert.rejects(
          provider.create("k", { algorithm }),
          (error) => isKeyboundError(error, "unsupported_key"),
        );
        assert.equal(await provider.open("k"), undefined);
      }),
    );

    for (const algorithm of algorithms) {
      it(
        `makes ${algorithm} keys whose every scheme yields a signature that verifies`,
        examine(async ({ provider }) => {
          const key = await provider.create("k", { algorithm });
          assert.equal(key.id, "k");
          assert.equal(key.strength, strength);
          assert.deepEqual(publicKeyAlgorithm(key.spki), expectedPublicKey(algorithm));
          assert.notEqual(key.schemes.length, 0);
          for (const scheme of key.schemes) await assertSigns(key, scheme);
        }),
      );

      it(
        `opens an ${algorithm} key as the one that was made`,
        examine(async ({ provider }) => {
          const made = await provider.create("k", { algorithm });
          const opened = await provider.open("k");
          assert.equal(opened?.id, "k");
          assert.equal(opened.strength, made.strength);
          assert.equal(hex(opened.spki), hex(made.spki));
          assert.deepEqual(opened.schemes, made.schemes);
          await assertSigns(opened, opened.schemes[0]!);
        }),
      );
    }

    if (algorithms.includes("RSA-2048")) {
      it(
        "makes an RSA-2048 key where no kind is named",
        examine(async ({ provider }) => {
          const { spki } = await provider.create("k");
          assert.deepEqual(publicKeyAlgorithm(spki), expectedPublicKey("RSA-2048"));
        }),
      );
    }

    it(
      "refuses a scheme that isn't the key's with unsupported_scheme",
      examine(async ({ provider }) => {
        const key = await provider.create("k", { algorithm: quickest });
        const foreign = ["ecdsa_secp521r1_sha512", "rsa_pss_rsae_md5", "", "constructor"];
        for (const scheme of foreign as SignatureScheme[]) {
          await assert.rejects(
            key.sign(scheme, DATA),
            (error) => isKeyboundError(error, "unsupported_scheme"),
          );
        }
      }),
    );

    it(
      "signs no data, much data and a part of a buffer",
      examine(async ({ provider }) => {
        const key = await provider.create("k", { algorithm: quickest });
        const scheme = key.schemes[0]!;
        const buffer = new Uint8Array(100_000).map((_, i) => i);
        for (const data of [new Uint8Array(), buffer, buffer.subarray(7, 300)]) {
          await assertSigns(key, scheme, data);
        }
      }),
    );

    it(
      "signs many things at once, each with its own signature",
      examine(async ({ provider }) => {
        const key = await provider.create("k", { algorithm: quickest });
        const scheme = key.schemes[0]!;
        const messages = Array.from({ length: 20 }, (_, i) => utf8(`message ${i}`));
        await Promise.all(messages.map((message) => assertSigns(key, scheme, message)));
      }),
    );

    it(
      "ends every wait with the reason of an aborted signal",
      examine(async ({ provider }) => {
        const key = await provider.create("k", { algorithm: quickest });
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        const isReason = (error: unknown) => error === reason;
        await assert.rejects(provider.open("k", { signal }), isReason);
        await assert.rejects(provider.create("k", { algorithm: quickest, signal }), isReason);
        await assert.rejects(provider.remove("k", { signal }), isReason);
        await assert.rejects(key.sign(key.schemes[0]!, DATA, { signal }), isReason);
        assert.equal(hex((await provider.open("k"))!.spki), hex(key.spki));
      }),
    );

    it(
      "ends a wait under way when the signal is aborted",
      examine(async ({ provider }) => {
        const key = await provider.create("k", { algorithm: quickest });
        const reason = new Error("enough");
        const isReason = (error: unknown) => error === reason;
        const leaving = new AbortController();
        const { signal } = leaving;
        const creating = provider.create("k", { algorithm: quickest, signal });
        const signing = key.sign(key.schemes[0]!, DATA, { signal });
        leaving.abort(reason);
        await assert.rejects(creating, isReason);
        await assert.rejects(signing, isReason);
      }),
    );

    it(
      "replaces a key by a new one of the same name",
      examine(async ({ provider, another }) => {
        const first = await provider.create("k", { algorithm: quickest });
        const second = await provider.create("k", { algorithm: quickest });
        assert.notEqual(hex(second.spki), hex(first.spki));
        assert.equal(hex((await provider.open("k"))!.spki), hex(second.spki));
        await assertSigns(second, second.schemes[0]!);
        if (another === undefined) return;
        const third = await (await another()).create("k", { algorithm: quickest });
        const seen = await provider.open("k");
        assert.equal(hex(seen!.spki), hex(third.spki));
        await assertSigns(seen!, seen!.schemes[0]!);
      }),
    );

    it(
      "is left with one whole key when several are made at once",
      examine(async ({ provider }) => {
        const made = await Promise.all(
          Array.from({ length: 4 }, () => provider.create("k", { algorithm: quickest })),
        );
        const opened = await provider.open("k");
        assert.ok(made.some(({ spki }) => equalBytes(spki, opened!.spki)));
        await assertSigns(opened!, opened!.schemes[0]!);
      }),
    );

    it(
      "keeps keys of different names apart, however odd the names",
      examine(async ({ provider }) => {
        const made = new Map<string, string>();
        for (const id of ODD_IDS) {
          assert.equal(await provider.open(id), undefined, id);
          const key = await provider.create(id, { algorithm: quickest });
          assert.equal(key.id, id);
          made.set(id, hex(key.spki));
        }
        for (const id of ODD_IDS) {
          const key = await provider.open(id);
          assert.equal(key?.id, id);
          assert.equal(hex(key.spki), made.get(id), id);
        }
        await provider.remove(ODD_IDS[0]!);
        assert.equal(await provider.open(ODD_IDS[0]!), undefined);
        assert.notEqual(await provider.open(ODD_IDS[1]!), undefined);
      }),
    );

    it(
      "removes a key, and does nothing where there is none",
      examine(async ({ provider, another }) => {
        await provider.remove("k");
        const key = await provider.create("k", { algorithm: quickest });
        await provider.remove("k");
        assert.equal(await provider.open("k"), undefined);
        await provider.remove("k");
        if (another !== undefined) assert.equal(await (await another()).open("k"), undefined);
        if (!removalIsImmediate) return;
        await assert.rejects(
          key.sign(key.schemes[0]!, DATA),
          (error) => isKeyboundError(error, "key_unusable"),
        );
      }),
    );

    it(
      "has keys that do what their optional interfaces say",
      examine(async ({ provider }) => {
        for (const algorithm of algorithms) {
          const key = await provider.create("k", { algorithm });
          const scheme = key.schemes[0]!;
          if (isSyncSigner(key)) {
            assert.ok(await verifySignature(scheme, key.spki, DATA, key.signSync(scheme, DATA)));
          }
          if (!isPemExportable(key)) continue;
          const pem = await key.exportPem();
          assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/);
          const signature = await signWithPkcs8(decodePem(pem, "PRIVATE KEY")[0]!, algorithm);
          const verifiable = algorithm === "P-256" ? "P-256" : "RSA";
          assert.ok(await verifyRaw(key.spki, verifiable, signature));
        }
      }),
    );
  });
}

async function assertSigns(
  key: SigningKey,
  scheme: SignatureScheme,
  data: Bytes = DATA,
): Promise<void> {
  const signature = await key.sign(scheme, data);
  assert.ok(await verifySignature(scheme, key.spki, data, signature), scheme);
  assert.ok(!await verifySignature(scheme, key.spki, utf8("something else"), signature), scheme);
}

function expectedPublicKey(algorithm: KeyAlgorithm): ReturnType<typeof publicKeyAlgorithm> {
  if (algorithm === "P-256") return { type: "ec", curve: "P-256" };
  return { type: "rsa", modulusBits: Number(algorithm.slice(4)), exponent: 65537 };
}

const ALGORITHMS = {
  "P-256": {
    key: { name: "ECDSA", namedCurve: "P-256" },
    signature: { name: "ECDSA", hash: "SHA-256" },
  },
  RSA: {
    key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    signature: { name: "RSASSA-PKCS1-v1_5" },
  },
};

/** Signed by the runtime itself, to judge an exported key without its provider. */
async function signWithPkcs8(pkcs8: Bytes, algorithm: KeyAlgorithm): Promise<Bytes> {
  const { key, signature } = ALGORITHMS[algorithm === "P-256" ? "P-256" : "RSA"];
  const imported = await crypto.subtle.importKey("pkcs8", pkcs8, key, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(signature, imported, DATA));
}

async function verifyRaw(
  spki: Bytes,
  algorithm: "P-256" | "RSA",
  raw: Bytes,
): Promise<boolean> {
  const { key, signature } = ALGORITHMS[algorithm];
  const imported = await crypto.subtle.importKey("spki", spki, key, false, ["verify"]);
  return await crypto.subtle.verify(signature, imported, raw, DATA);
}
