/**
 * No token, secret of the environment, challenge's secret, or claim in any event or error of a bearer
 * token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { base64, hex, utf8 } from "../../src/encoding.ts";
import type { ManagedIdentity, TokenOptions } from "../../src/managed_identity_options.ts";
import { fakeJwt } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";
import {
  type Answer,
  bearerHost,
  SECRET,
  type SentRequest,
  SOURCES,
} from "./support/bearer_host.ts";

const TOKEN = fakeJwt({ secret: "the-token-itself-0123456789abcdef" });
const CLAIMED = "claimed-value-0123456789";
const CLAIMS = JSON.stringify({ access_token: { nbf: { value: CLAIMED } } });
const CHALLENGED = "challenge-secret-0123456789";
const ARC_FILE = "/var/opt/azcmagent/tokens/0b4e.key";
const PARAMETER = "parameter-secret-0123456789";
const ECHO = `you sent ${SECRET} and get ${TOKEN}`;

const arcChallenge = () =>
  new Response(null, { status: 401, headers: { "www-authenticate": `Basic realm=${ARC_FILE}` } });
const token: Answer = () => Response.json({ access_token: TOKEN, expires_on: 28_800 });

/** A refusal that repeats the headers of the request wherever there is room for words. */
const echo = ({ headers }: SentRequest) => {
  const values = Object.values(headers);
  const words = values.join(" ");
  const error = { code: words, message: words };
  const correlationId = values.find((value) => /secret|se-cret/.test(value));
  return Response.json({ error, error_description: words, message: words, correlationId }, {
    status: 400,
  });
};

/** What a source may say that repeats what it was sent, or a token besides. */
const ANSWERS: readonly Answer[] = [
  token,
  (_i, request, signal) =>
    request.headers.authorization === undefined ? arcChallenge() : token(0, request, signal),
  () => Response.json({ error: "e", error_description: TOKEN, [TOKEN]: TOKEN }, { status: 400 }),
  () => Response.json({ error: { code: TOKEN, message: TOKEN } }, { status: 500 }),
  () => Response.json({ correlationId: TOKEN.replaceAll(".", "").slice(0, 64) }, { status: 403 }),
  () => new Response(ECHO, { status: 400 }),
  (_i, request) => echo(request),
  (_i, request) => request.headers.authorization === undefined ? arcChallenge() : echo(request),
  () => new Response(ECHO),
  () => Response.json({ access_token: TOKEN }),
  () => Response.json({ access_token: TOKEN, expires_on: TOKEN }),
  () => Response.json({ access_token: TOKEN, expires_on: "1" + "0".repeat(8) }),
  () => Response.json({ access_token: `${TOKEN}\n`, expires_on: 3600 }),
  () => new Response(null, { status: 302, headers: { location: `https://x/?${TOKEN}` } }),
  () => {
    throw new TypeError("fetch failed");
  },
];

/** Everything that can be seen of a value, hidden properties, causes and stacks included. */
function whole(value: unknown): string {
  return inspect(value, { depth: 20, showHidden: true, maxStringLength: null }) +
    JSON.stringify(value);
}

/** How a text may look: as it is, or in base64 at any offset, or in hex. */
function forms(secret: string): string[] {
  const bytes = utf8(secret);
  const inBase64 = [0, 1, 2].map((shift) =>
    base64(new Uint8Array([...new Uint8Array(shift), ...bytes])).slice(4, -4)
  );
  return [secret, ...inBase64, hex(bytes)];
}

async function everything(): Promise<{ told: string; errors: number; events: number }> {
  const seen: unknown[] = [];
  let errors = 0;
  let events = 0;
  for (const [, environment] of SOURCES) {
    const { identity: make, azure, settings } = await bearerHost(environment);
    settings.files[ARC_FILE] = CHALLENGED;
    const identity: ManagedIdentity = make({ clientCapabilities: ["cp1"] });
    const asked = async (more: Partial<TokenOptions<"bearer">>) => {
      const options = { resource: "https://r.example", binding: "bearer", ...more } as const;
      await settling(azure, identity.getToken(options)).catch((error) => {
        errors++;
        seen.push(error);
      });
    };
    for (const answer of ANSWERS) {
      settings.source = answer;
      await asked({ forceRefresh: true });
      await asked({ claims: CLAIMS });
      await asked({ extraQueryParameters: { p: PARAMETER }, forceRefresh: true });
      await azure.clock.advance(4 * 3_600_000);
      await asked({});
    }
    settings.source = token;
    settings.resource = (_i, request) => Promise.reject(new TypeError(whole(request)));
    await identity.fetch(`https://r.example/?${PARAMETER}`, {
      resource: "https://r.example",
      binding: "bearer",
    }).catch((error) => {
      errors++;
      seen.push(error);
    });
    events += azure.events.length;
    seen.push(...azure.events);
  }
  return { told: seen.map(whole).join("\n"), errors, events };
}

describe("the secrets of bearer tokens", () => {
  it("are in no event and in no error, whatever a source answers", async () => {
    const { told, errors, events } = await everything();
    assert.ok(errors > 100, `${errors} errors are enough to look at`);
    assert.ok(events > 200, `${events} events are enough to look at`);
    const pieces = TOKEN.split(".").slice(1).map((part) => part.slice(0, 24));
    for (const secret of [...pieces, SECRET, CLAIMED, CHALLENGED, PARAMETER]) {
      for (const form of forms(secret)) {
        if (form.length < 6) continue;
        assert.equal(told.includes(form), false, `${secret.slice(0, 8)}… was told`);
      }
    }
  });

  it("would be found", () => {
    const hidden = new Error("x", { cause: { deep: { er: `a${CLAIMED}b` } } });
    assert.ok(forms(CLAIMED).some((form) => whole(hidden).includes(form)));
    for (const before of ["", "a", "ab"]) {
      const encoded = base64(utf8(`${before}${CLAIMED}z`));
      assert.ok(forms(CLAIMED).some((form) => encoded.includes(form)), before);
    }
  });
});
