/**
 * The neighbours, their metadata service answering at once and counting.
 *
 * @module
 */

import { createHttpHeaders, type HttpClient } from "@azure/core-rest-pipeline";
import { ManagedIdentityCredential } from "@azure/identity";
import { type INetworkModule, ManagedIdentityApplication } from "@azure/msal-node";
import { readFileSync } from "node:fs";

/** A library that gets tokens of a managed identity. */
export interface Peer {
  /** Its package, with the version. */
  readonly name: string;
  /** A token for this resource. */
  getToken(resource: string): Promise<unknown>;
}

/** Both neighbours. They share one cache, which is static, and one network. */
export interface Peers {
  /** `ManagedIdentityApplication`. */
  readonly msalNode: Peer;
  /** `ManagedIdentityCredential`, which stands on the former. */
  readonly azureIdentity: Peer;
  /** Requests to the metadata service so far. */
  readonly requests: number;
  /** Puts tokens for these resources into the cache. */
  fill(resources: readonly string[]): Promise<void>;
}

/** New neighbours; one pair a process. */
export function azurePeers(): Peers {
  let requests = 0;
  // Which of the two networks is asked depends on who asked first: what asks is static, too.
  const networkClient: INetworkModule = {
    sendGetRequestAsync<T>(url: string) {
      requests++;
      return Promise.resolve({ status: 200, headers: {}, body: tokenAnswer(url) as T });
    },
    sendPostRequestAsync: () => Promise.reject(new Error("Nothing is posted to IMDS v1.")),
  };
  const httpClient: HttpClient = {
    sendRequest(request) {
      requests++;
      const headers = createHttpHeaders({ "content-type": "application/json" });
      const bodyAsText = JSON.stringify(tokenAnswer(request.url));
      return Promise.resolve({ request, status: 200, headers, bodyAsText });
    },
  };
  const application = new ManagedIdentityApplication({ system: { networkClient } });
  const credential = new ManagedIdentityCredential({ httpClient });
  return {
    msalNode: {
      name: versioned("@azure/msal-node"),
      getToken: (resource) => application.acquireToken({ resource }),
    },
    azureIdentity: {
      name: versioned("@azure/identity"),
      getToken: (resource) => credential.getToken(`${resource}/.default`),
    },
    get requests() {
      return requests;
    },
    async fill(resources) {
      const [first] = resources;
      if (first === undefined) return;
      await application.acquireToken({ resource: first });
      // Each save looks at all that is there: through the front door, 10,000 take minutes.
      const { nodeStorage } = ManagedIdentityApplication as unknown as MsalInternals;
      const pattern = Object.entries(nodeStorage.getCache()).filter(([key]) => key.includes(first));
      const copies = resources.flatMap((resource) =>
        pattern.map(([key, value]) => [
          key.replace(first, resource),
          JSON.parse(JSON.stringify(value).replaceAll(first, resource)) as unknown,
        ])
      );
      nodeStorage.setCache({ ...nodeStorage.getCache(), ...Object.fromEntries(copies) });
    },
  };
}

/** The static cache, which msal-node keeps to itself. */
interface MsalInternals {
  readonly nodeStorage: {
    getCache(): Record<string, unknown>;
    setCache(cache: Record<string, unknown>): void;
  };
}

/** As IMDS v1 answers. */
function tokenAnswer(url: string): Record<string, string> {
  return {
    access_token: "e".repeat(1500),
    expires_in: "86399",
    expires_on: String(Math.floor(Date.now() / 1000) + 86_399),
    resource: new URL(url).searchParams.get("resource")!,
    token_type: "Bearer",
  };
}

function versioned(name: string): string {
  const { devDependencies } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { devDependencies: Record<string, string> };
  return `${name} ${devDependencies[name]}`;
}
