/**
 * `keybound token`: gets a token and says what it is.
 *
 * @module
 */

import type { KeyStrength } from "../src/keys.ts";
import { managedIdentity } from "../src/managed_identity.ts";
import { normalizeResource } from "../src/token/request.ts";
import type { BindingWish, BoundToken, TokenResult } from "../src/token/result.ts";
import { oneOf, readOptions, understood } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import {
  HOST_HELP,
  HOST_OPTIONS,
  IDENTITY_HELP,
  IDENTITY_OPTIONS,
  identityOf,
  openHost,
} from "./host.ts";
import { type Paint, painter, span, table } from "./style.ts";

const HELP = `keybound token --resource <uri> [options]

Gets a token of this host's managed identity and says what it is. The token itself isn't shown.

  --resource <uri>     what the token is for, such as https://vault.azure.net
  --binding <kind>     mtls_pop (default): bound to a key; bearer; preferred: whichever can be had
  --min-strength <s>   software, hardware or keyguard: the weakest key that will do
${IDENTITY_HELP}
${HOST_HELP}
  --reveal             shows the token: it works for whoever has it and, if it is bound, its key
  --json               one JSON object

Examples

  keybound token --resource https://vault.azure.net
  keybound token --resource https://vault.azure.net --binding preferred --json
  keybound token --resource https://vault.azure.net --reveal --json | jq -r .accessToken
`;

const OPTIONS = {
  ...IDENTITY_OPTIONS,
  ...HOST_OPTIONS,
  resource: { type: "string" },
  binding: { type: "string" },
  "min-strength": { type: "string" },
  reveal: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** The command. */
export const token: Command = {
  summary: "get a token and say what it is",
  help: HELP,
  async run(args, { environment, print, during, colours, signal }) {
    const values = readOptions(args, OPTIONS);
    const { resource, reveal = false, json } = values;
    if (resource === undefined) throw new UsageError("Say what for: '--resource <uri>'.");
    understood(() => normalizeResource(resource));
    const binding = oneOf(
      values.binding ?? "mtls_pop",
      ["mtls_pop", "bearer", "preferred"],
      "--binding",
    );
    const minStrength = strengthOf(values["min-strength"], binding);
    const id = identityOf(values);
    const host = await openHost(values, environment);
    try {
      const identity = managedIdentity({ ...host, ...id });
      const asked = { resource, binding, signal, ...(minStrength && { minStrength }) };
      const got = await during("Getting a token", identity.getToken(asked));
      const facts = factsOf(got, Date.now(), reveal);
      if (json) print(JSON.stringify(facts));
      else for (const line of lines(facts, painter(colours))) print(line);
      await identity.close();
    } finally {
      await host.close();
    }
  },
};

function strengthOf(text: string | undefined, binding: BindingWish): KeyStrength | undefined {
  if (text === undefined) return undefined;
  if (binding !== "mtls_pop") {
    throw new UsageError("'--min-strength' goes with '--binding mtls_pop'.");
  }
  return oneOf(text, ["software", "hardware", "keyguard"], "--min-strength");
}

/** What is told of a token. */
export interface TokenFacts {
  /** `mtls_pop` or `Bearer`. */
  readonly tokenType: TokenResult<"preferred">["tokenType"];
  /** Where it came from. */
  readonly source: string;
  /** ISO 8601. */
  readonly expiresOn: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** ISO 8601; absent where no refresh is planned. */
  readonly refreshOn?: string;
  /** `x5t#S256` of the certificate that it is bound to, base64url. */
  readonly thumbprint?: string;
  /** Where the key is. */
  readonly strength?: KeyStrength;
  /** UUID of the acquisition. */
  readonly correlationId: string;
  /** The token, where it was asked for. */
  readonly accessToken?: string;
}

/** The facts of a token at this time, milliseconds since the Unix epoch. */
export function factsOf(
  token: TokenResult<"preferred">,
  now: number,
  reveal: boolean,
): TokenFacts {
  const { tokenType, source, expiresOn, refreshOn, correlationId, accessToken } = token;
  return {
    tokenType,
    source,
    expiresOn: new Date(expiresOn).toISOString(),
    expiresIn: Math.floor((expiresOn - now) / 1000),
    ...(refreshOn === undefined ? {} : { refreshOn: new Date(refreshOn).toISOString() }),
    ...(token.binding === undefined ? {} : bindingFacts(token.binding)),
    correlationId,
    ...(reveal ? { accessToken } : {}),
  };
}

function bindingFacts({ credential }: BoundToken["binding"]) {
  return { thumbprint: credential.thumbprint, strength: credential.key.strength };
}

function lines(facts: TokenFacts, paint: Paint): string[] {
  const { tokenType, source, expiresOn, expiresIn, refreshOn, thumbprint, strength } = facts;
  const rows: [string, string | undefined][] = [
    ["type", tokenType],
    ["source", source],
    ["expires", `${expiresOn} (in ${span(expiresIn * 1000)})`],
    ["refresh", refreshOn],
    ["bound to", thumbprint && `certificate ${thumbprint} (x5t#S256), ${strength} key`],
    ["correlation", facts.correlationId],
    ["token", facts.accessToken],
  ];
  const shown = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [[[name, "dim"] as const, value]]
  );
  return table(shown, paint);
}
