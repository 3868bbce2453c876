/**
 * No token, attestation or key in any output, event or error: the flows are run with known secrets
 * and everything that comes out is searched for them, encoded in any usual way. No part takes a PIN
 * yet; one that does is to be added here.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { base64, concat, fromBase64, fromBase64url, hex, utf8 } from "../../src/encoding.ts";
import { isPemExportable } from "../../src/keys.ts";
import {
  claimingStrength,
  fakeAzure,
  fakeJwt,
  type Script,
  status,
  VAULT,
  wire,
} from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

const ATTESTATION = fakeJwt({ exp: 4_000_000_000, secret: "attestation-of-the-key" });
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const TOKEN_MARK = "the-token-itself-0123456789abcdef";

/** A token response whose token can be recognized. */
const marked: Script = (sent) =>
  Response.json({
    token_type: "mtls_pop",
    expires_in: 86_400,
    access_token: fakeJwt({
      aud: VAULT,
      cnf: { "x5t#S256": sent.thumbprint },
      secret: TOKEN_MARK,
    }),
  });

/** A refusal that repeats what it was sent, and a token besides. */
const echoing = (code: number): Script => async (sent, regular) => {
  const token = (await (await marked(sent, regular)).json()).access_token;
  return Response.json({
    error: "invalid_request",
    error_description: `AADSTS1: you sent ${sent.body} for ${token} and ${ATTESTATION}`,
    message: `${token}`,
    [token]: token,
  }, { status: code });
};

describe("secrets", () => {
  it("are in no event, error or output, whatever goes wrong", async () => {
    const inner = webcryptoKeys();
    const azure = await fakeAzure({ keys: claimingStrength(inner, "keyguard") });
    const identity = azure.identity({
      attestor: { name: "test", attest: () => Promise.resolve(ATTESTATION) },
    });
    const errors: unknown[] = [];
    const output = captureOutput();
    const asked = async (options: Partial<Parameters<typeof identity.getToken>[0]> = {}) => {
      const request = { resource: VAULT, attest: true, forceRefresh: true, ...options };
      await settling(azure, identity.getToken(request)).catch((error) => errors.push(error));
    };
    try {
      azure.always("token", marked);
      await asked();
      const { accessToken } = await identity.getToken({ resource: VAULT, attest: true });
      for (const endpoint of ["getplatformmetadata", "issuecredential", "token"] as const) {
        for (const script of [echoing(400), echoing(500), status(401, { error: accessToken })]) {
          azure.always(endpoint, script);
          if (endpoint !== "token") azure.script("token", wire({ alert: 42 }));
          await azure.clock.advance(61_000);
          await asked();
        }
        azure.always(endpoint, endpoint === "token" ? marked : undefined);
      }
      azure.script("token", (sent) => Response.json({ ...sent, access_token: accessToken }));
      await asked();
      azure.script("token", () => new Response(accessToken, { status: 418 }));
      await asked();
      azure.script("token", wire({}), wire({}));
      await asked();
      azure.always("resource", wire({ alert: 48 }));
      const options = { resource: VAULT, attest: true };
      await identity.fetch("https://v.vault.azure.net/", options).catch((e) => errors.push(e));
      const key = (await inner.open("keybound"))!;
      assert.ok(isPemExportable(key));
      const pem = await key.exportPem();
      const secrets = [accessToken, TOKEN_MARK, ATTESTATION, pem].flatMap(parts);
      const searched = [...secrets.map(utf8), await privateScalar(pem)];
      assert.ok(errors.length >= 10, `${errors.length} errors are enough to look at`);
      assert.ok(azure.events.length >= 25, `${azure.events.length} events are enough to look at`);
      const everything = [...errors, ...azure.events].map(whole).join("\n");
      const written = [...output.console, ...output.stderr, ...output.stdout].join("\n");
      for (const secret of searched) {
        for (const form of forms(secret)) {
          const name = `${form.slice(0, 8)}…`;
          assert.equal(everything.includes(form), false, `${name} is in an event or error`);
          assert.equal(written.includes(form), false, `${name} was written`);
        }
      }
    } finally {
      output.restore();
    }
    // Standard output is searched only: test runners report there meanwhile.
    assert.deepEqual([output.console, output.stderr], [[], []], "nothing is written at all");
  });

  it("would be found in any encoding, wherever in a longer text they are", async () => {
    const secret = utf8("kept/secret+by=all means");
    const escaped = (bytes: Uint8Array) => hex(bytes).replace(/../g, "%$&");
    const encodings = [
      (bytes: Uint8Array) => new TextDecoder().decode(bytes),
      (bytes: Uint8Array) => encodeURIComponent(new TextDecoder().decode(bytes)),
      (bytes: Uint8Array) => Buffer.from(bytes).toString("base64"),
      (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url"),
      (bytes: Uint8Array) => Buffer.from(bytes).toString("hex"),
      (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").toUpperCase(),
      escaped,
      (bytes: Uint8Array) => escaped(bytes).toUpperCase(),
    ];
    for (const encode of encodings) {
      for (const before of ["", "a", "ab", "abc"]) {
        const text = encode(concat(utf8(before), secret, utf8("z")));
        assert.ok(forms(secret).some((form) => text.includes(form)), text);
        assert.equal(forms(utf8("another secret altogether")).some((f) => text.includes(f)), false);
      }
    }
    const output = captureOutput();
    try {
      console.log("one");
      process.stdout.write("");
      process.stderr.write(utf8(""));
    } finally {
      output.restore();
    }
    assert.ok(output.console.join().includes("one"));
    assert.ok(output.stdout.includes(""));
    assert.deepEqual(output.stderr, [""]);
    const { privateKey } = await crypto.subtle.generateKey(P256, true, ["sign"]);
    const pkcs8 = base64(new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey)));
    const { d } = await crypto.subtle.exportKey("jwk", privateKey);
    assert.deepEqual(await privateScalar(`-----\n${pkcs8}\n-----\n`), fromBase64url(d!));
  });
});

/** Everything that can be seen of a value, hidden properties, causes and stacks included. */
function whole(value: unknown): string {
  return inspect(value, { depth: 20, showHidden: true, maxStringLength: null }) +
    JSON.stringify(value);
}

/** Pieces of a secret, each long enough to be told from chance. */
function parts(secret: string): string[] {
  const lines = secret.split(/[\n.]/).filter((line) => line.length > 20 && !/^-/.test(line));
  return lines.flatMap((line) => [line.slice(0, 24), line.slice(-24)]).filter((part) =>
    // The header of a JWT and the start of a PKCS#8 key are no secret.
    !part.startsWith("eyJhbGciOiJSUzI1NiIsInR5") && !part.startsWith("MIGHAgEAMBMGByqGSM49AgEG")
  );
}

/** The private number of a P-256 key in PKCS#8 PEM. */
async function privateScalar(pem: string): Promise<Uint8Array> {
  const der = fromBase64(pem.split("\n").filter((line) => !line.startsWith("-")).join(""));
  const key = await crypto.subtle.importKey("pkcs8", der, P256, true, ["sign"]);
  return fromBase64url((await crypto.subtle.exportKey("jwk", key)).d!);
}

/** How these bytes may look in a text: as they are, base64 and base64url, hex, percent-encoded. */
function forms(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  const plain = text.includes("\uFFFD") ? [] : [text, encodeURIComponent(text)];
  // What base64 makes of them depends on where they begin; the edges are shared with neighbours.
  const inBase64 = [0, 1, 2].map((shift) => {
    const end = bytes.length - (shift + bytes.length) % 3;
    return base64(concat(new Uint8Array(shift), bytes.subarray(0, end))).slice([0, 2, 3][shift]);
  });
  const inUrls = inBase64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"));
  const digits = hex(bytes);
  const escaped = digits.replace(/../g, "%$&");
  const inHex = [digits, escaped].flatMap((form) => [form, form.toUpperCase()]);
  return [...plain, ...inBase64, ...inUrls, ...inHex];
}

/** Everything written from now on, which is still written but for the console's. */
function captureOutput() {
  const seen = { console: [] as string[], stdout: [] as string[], stderr: [] as string[] };
  const names = ["log", "info", "warn", "error", "debug"] as const;
  const originals = names.map((name) => console[name]);
  for (const name of names) {
    console[name] = (...args: unknown[]) => void seen.console.push(inspect(args));
  }
  const restores = (["stdout", "stderr"] as const).map((name) => {
    const stream = process[name];
    const { write } = stream;
    stream.write = function (chunk: string | Uint8Array, ...rest: unknown[]) {
      seen[name].push(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
      return Reflect.apply(write, stream, [chunk, ...rest]);
    };
    return () => void (stream.write = write);
  });
  const restore = () => {
    names.forEach((name, i) => console[name] = originals[i]!);
    for (const undo of restores) undo();
  };
  return { ...seen, restore };
}
