/**
 * An `https.Agent` with a protected key: plain `https.request`, axios and got, over the runtime's TLS and
 * over OpenSSL.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Agent, request, type RequestOptions } from "node:https";
import { after, before, describe, it } from "node:test";
import axios from "axios";
import got from "got";
import { detect } from "../../../backends/detect.ts";
import { spawnEmulator } from "../../../emulator/mod.ts";
import { managedIdentity } from "../../../mod.ts";
import { agentFor, type AgentToken, type KeyAgentOptions } from "../../../plugins/agent/mod.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import { isPemExportable } from "../../../src/keys.ts";
import { assertExample } from "../../edge/support/examples.ts";
import { synchronousKey } from "../../support/synchronous_keys.ts";
import { type TlsAuthority, tlsAuthority } from "../../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../../support/tls_servers.ts";

/** What a server saw of a request. */
interface Report {
  readonly method: string;
  readonly body: string;
  readonly certificate: string | null;
  readonly authorized: boolean;
  readonly protocol: string;
  readonly connection: number;
  readonly request: number;
}

let authority: TlsAuthority;
let servers: TlsServers;

before(async () => {
  authority = await tlsAuthority("Test CA");
  const others = await tlsAuthority("Another CA");
  const https = { kind: "https", clientCa: authority.pem } as const;
  servers = await startTlsServers({
    good: { ...https, ...await authority.server() },
    untrusted: { ...https, ...await others.server() },
    elsewhere: { ...https, ...await authority.server({ hosts: ["elsewhere.example"] }) },
  });
});
after(() => servers.close());

/** What `https.request` got. */
async function get(
  agent: Agent,
  server = "good",
  more: RequestOptions & { readonly body?: string } = {},
): Promise<Report> {
  const { body, ...options } = more;
  return await new Promise((resolve, reject) => {
    const outgoing = request(servers.url(server, "/report"), { agent, ...options }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += chunk);
      response.on("end", () => resolve(JSON.parse(text)));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function thumbprintOf({ certificate }: Report): string {
  return Buffer.from(certificate!, "hex").toString("base64url");
}

/** An agent, used and given back. */
async function using<T>(agent: Agent, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    agent.destroy();
  }
}

const KEYS: [string, () => Promise<ClientCredential>][] = [
  ["can be exported", () => authority.client("P-256")],
  ["can't leave its place", () => authority.client(synchronousKey("P-256"))],
];

describe("agentFor", () => {
  it("is not made of nothing, nor of an identity without a question", () => {
    const identity = { getToken: () => Promise.reject(new Error("never asked")) };
    for (const [source, options] of [[undefined], [{}], [identity], [identity, {}]]) {
      const make = agentFor as (source: unknown, options?: unknown) => Agent;
      assert.throws(() => make(source, options), { code: "invalid_argument" });
    }
  });

  it("has one key to try that can be exported and one that can't", async () => {
    const credentials = await Promise.all(KEYS.map(([, credentialOf]) => credentialOf()));
    assert.deepEqual(credentials.map(({ key }) => isPemExportable(key)), [true, false]);
  });

  for (const [kind, credentialOf] of KEYS) {
    describe(`with a key that ${kind}`, () => {
      const options = (): KeyAgentOptions => ({ ca: authority.pem });

      it("sends nothing to a server that isn't verified, whatever the request says", async () => {
        const agent = agentFor(await credentialOf(), options());
        await using(agent, async () => {
          const lax = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
          for (const server of ["untrusted", "elsewhere"]) {
            await assert.rejects(get(agent, server));
            await assert.rejects(get(agent, server, lax));
          }
        });
      });

      it("presents it and keeps the connection", async () => {
        const credential = await credentialOf();
        const agent = agentFor(credential, options());
        await using(agent, async () => {
          const first = await get(agent);
          const second = await get(agent, "good", { method: "POST", body: "x" });
          assert.equal(thumbprintOf(first), credential.thumbprint);
          assert.deepEqual([first.authorized, second.authorized], [true, true]);
          assert.deepEqual([second.method, second.body], ["POST", "x"]);
          assert.equal(second.connection, first.connection);
        });
      });

      it("presents no other certificate that a request brings", async () => {
        const credential = await credentialOf();
        const { cert, key } = await authority.server();
        const agent = agentFor(credential, options());
        await using(agent, async () => {
          assert.equal(
            thumbprintOf(await get(agent, "good", { cert, key })),
            credential.thumbprint,
          );
        });
      });

      it("keeps no connection if it isn't to, and no TLS version out of range", async () => {
        const once = agentFor(await credentialOf(), {
          ...options(),
          keepAlive: false,
          maxVersion: "TLSv1.2",
        });
        await using(once, async () => {
          const [first, second] = [await get(once), await get(once)];
          assert.notEqual(first.connection, second.connection);
          assert.equal(first.protocol, "TLSv1.2");
        });
      });

      it("works in axios, with a time limit", async () => {
        const credential = await credentialOf();
        const agent = agentFor(credential, options());
        await using(agent, async () => {
          const { data } = await axios.post<Report>(servers.url("good", "/report"), "x", {
            httpsAgent: agent,
            timeout: 5_000,
          });
          assert.equal(thumbprintOf(data), credential.thumbprint);
          assert.equal(data.body, "x");
        });
      });

      it("works in got, with a time limit", async () => {
        const credential = await credentialOf();
        const agent = agentFor(credential, options());
        await using(agent, async () => {
          const data = await got.post(servers.url("good", "/report"), {
            agent: { https: agent },
            body: "x",
            retry: { limit: 0 },
            timeout: { request: 5_000 },
          }).json<Report>();
          assert.equal(thumbprintOf(data), credential.thumbprint);
          assert.equal(data.body, "x");
        });
      });

      it("moves over to a new credential and drops the old connections", async () => {
        const [old, renewed] = [await credentialOf(), await credentialOf()];
        let current = old;
        const agent = agentFor(() => current, options());
        await using(agent, async () => {
          const before = await Promise.all([get(agent), get(agent), get(agent)]);
          for (const report of before) assert.equal(thumbprintOf(report), old.thumbprint);
          current = renewed;
          const [first, second] = [await get(agent), await get(agent)];
          assert.equal(thumbprintOf(first), renewed.thumbprint);
          assert.equal(first.request, 1);
          assert.equal(second.connection, first.connection);
        });
      });
    });
  }

  it("fails a request with the reason why there is no credential", async () => {
    const reason = new Error("The card was pulled out.");
    const agent = agentFor(() => Promise.reject(reason));
    await using(agent, async () => {
      await assert.rejects(get(agent), (error) => error === reason);
      const asked = axios.get(servers.url("good", "/report"), { httpsAgent: agent });
      await assert.rejects(asked, /The card was pulled out/);
    });
  });

  it("doesn't present a certificate that isn't in force", async () => {
    const agent = agentFor(await authority.client("P-256", { expired: true }), {
      ca: authority.pem,
    });
    await using(agent, async () => {
      await assert.rejects(get(agent), { code: "invalid_certificate" });
    });
  });

  it("that is destroyed sends nothing more", async () => {
    const agent = agentFor(await authority.client("P-256"), { ca: authority.pem });
    await get(agent);
    agent.destroy();
    await assert.rejects(get(agent), { code: "closed" });
  });
});

describe("agentFor an identity", () => {
  const token = (credential: ClientCredential, accessToken: string): AgentToken => ({
    accessToken,
    tokenType: "mtls_pop",
    binding: { credential },
  });

  it("has no use for a bearer token", async () => {
    const bearer = { accessToken: "t", tokenType: "Bearer" };
    const agent = agentFor({ getToken: () => Promise.resolve(bearer) }, { token: {} });
    await using(agent, async () => {
      await assert.rejects(agent.authorization(), { code: "token_not_bound" });
      await assert.rejects(get(agent), { code: "token_not_bound" });
    });
  });

  for (const [kind, credentialOf] of KEYS) {
    it(`whose key ${kind}, presents the certificate of the very token a request carries`, async () => {
      const [old, renewed] = [await credentialOf(), await credentialOf()];
      let current = token(old, "old");
      const questions: unknown[] = [];
      const getToken = (question: { resource: string }) => {
        questions.push(question);
        return Promise.resolve(current);
      };
      const asked = { resource: "https://orders.example" };
      const agent = agentFor({ getToken }, { token: asked, ca: authority.pem });
      await using(agent, async () => {
        const before = { headers: { Authorization: await agent.authorization() } };
        assert.deepEqual(before.headers, { Authorization: "mtls_pop old" });
        assert.equal(thumbprintOf(await get(agent, "good", before)), old.thumbprint);
        current = token(renewed, "new");
        const behind = { headers: { Authorization: await agent.authorization() } };
        const [late, next] = [await get(agent, "good", before), await get(agent, "good", behind)];
        assert.equal(thumbprintOf(late), old.thumbprint);
        assert.equal(late.request, 1, "the old connections were dropped");
        assert.equal(thumbprintOf(next), renewed.thumbprint);
      });
      assert.deepEqual(questions, [asked, asked]);
    });
  }

  it("gets axios into a resource server that takes bound tokens", async () => {
    const emulator = await spawnEmulator({ state: { acceptEc: true } });
    const { ca } = emulator;
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await detect({ ca, environment });
    const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
    const url = `${emulator.resource}/orders`;
    try {
      // Example axios
      const agent = agentFor(identity, { token: { resource: "https://vault.azure.net" }, ca });
      const orders = axios.create({ httpsAgent: agent, maxRedirects: 0 });
      orders.interceptors.request.use(async (config) => {
        config.headers.set("Authorization", await agent.authorization());
        return config;
      });
      const { data } = await orders.get(url);
      // End of example
      const { binding } = await identity.getToken({ resource: "https://vault.azure.net" });
      assert.equal(data.thumbprint, binding.credential.thumbprint);
      await orders.get(url);
      assert.equal((await emulator.counts()).resource_connections, 1);
      agent.destroy();
    } finally {
      await identity.close();
      await host.close();
      await emulator.close();
    }
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/agents.md", "axios");
  });
});
