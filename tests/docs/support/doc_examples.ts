/**
 * The examples of doc comments, as the generated reference has them, with imports of what they take
 * for granted.
 *
 * @module
 */

import { filesBelow, read } from "../../package/support/project.ts";
import type { Code } from "./compile.ts";
import { fencesOf } from "./snippets.ts";

/** Names of other packages and of the runtime, as their readers import them. */
const PEERS: Readonly<Record<string, string>> = {
  BlobServiceClient: 'import { BlobServiceClient } from "@azure/storage-blob";',
  ConfidentialClientApplication:
    'import { ConfidentialClientApplication } from "@azure/msal-node";',
  SecretClient: 'import { SecretClient } from "@azure/keyvault-secrets";',
  axios: 'import axios from "axios";',
  https: 'import * as https from "node:https";',
};

/** What examples have of their reader, besides what the guides' snippets have. */
export const READERS_OWN = `
declare const as: import("oauth4webapi").AuthorizationServer;
declare const authorization: string;
declare const data: Uint8Array<ArrayBuffer>;
declare const endpoint: string;
declare const env: { readonly MY_CERTIFICATE: import("keybound/fetcher").PlatformFetcher };
declare const pin: () => string;
declare const publicJwk: import("jose").JWK;
declare const vault: string;
declare const vaultUrl: string;
declare const currentCredential: import("keybound").ClientCredential;
declare function scheduleAnotherTry(): void;
`;

/** All examples that leave nothing out; what is left out, an ellipsis says. */
export function docExamples(): Code[] {
  const pages = filesBelow("docs/api").map((file) => ({ file, text: read(file) }));
  const homes = new Map(pages.flatMap(({ text }) => {
    const [, entry = ""] = /^# (\S+)$/m.exec(text) ?? [];
    return [...text.matchAll(/^- \[`(\w+)`\]\(#.*\) \((?:class|constant|function)\)/gm)]
      .map(([, name]) => [name!, entry] as const);
  }));
  return pages.flatMap(({ file, text }) =>
    fencesOf(file, "ts", text)
      .filter(({ info, code }) => info === "example" && !code.includes(", ... }"))
      // Before the first line, so that the lines stay what they are.
      .map(({ line, code }) => ({ file, line, code: `${importsFor(code, homes)}${code}` }))
  );
}

function importsFor(code: string, homes: ReadonlyMap<string, string>): string {
  const words = [...code.matchAll(/(?<![.\w"/])[A-Za-z_]\w*\b(?!:)/g)].map(([word]) => word);
  const isDeclared = (name: string) =>
    new RegExp(`^import[^;]*\\b${name}\\b[^;]*;|^(?:const|let) [^=]*\\b${name}\\b`, "m").test(code);
  return [...new Set(words)].filter((name) => !isDeclared(name)).map((name) => {
    const home = homes.get(name);
    if (Object.hasOwn(PEERS, name)) return PEERS[name]!;
    return home === undefined ? "" : `import { ${name} } from "${home}"; `;
  }).join("");
}
