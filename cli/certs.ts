/**
 * `keybound certs`: the certificates of a directory, or of the store of Windows.
 *
 * @module
 */

import process from "node:process";
import { detect, type DetectedHost } from "../backends/detect.ts";
import { memoryStore } from "../backends/memory/mod.ts";
import { certificateAlias, type ManagedIdentityId, resolveIdentity } from "../src/identity.ts";
import { managedIdentity } from "../src/managed_identity.ts";
import { normalizeResource } from "../src/token/request.ts";
import { readArguments, understood, type Values } from "./arguments.ts";
import type { CertificateFacts } from "./certs/inventory.ts";
import { type CertificatePlace, directoryPlace, windowsPlace } from "./certs/place.ts";
import { type Command, type Surroundings, UsageError } from "./command.ts";
import {
  caOf,
  directoryOf,
  HOST_HELP,
  HOST_OPTIONS,
  hostVariables,
  IDENTITY_HELP,
  IDENTITY_OPTIONS,
  identityOf,
} from "./host.ts";
import { type Cell, type Colour, painter, span, table } from "./style.ts";

const HELP = `keybound certs list|evict|renew [options]

Shows, throws away and renews the certificates that bindings are made of: those kept in a directory,
or, on Windows and without one, in the user's store.

  list     all certificates there: whose (masked), life left, and whether the key signs
  evict    throws away those of one identity; the next token brings a new one
  renew    has a new one issued for one identity, proves it by a token, and keeps it instead

${IDENTITY_HELP}
  --attested           those of attested keys instead (evict)
  --all                those of every identity (evict)
  --resource <uri>     what the token that proves a new certificate is for (renew);
                       default: https://management.azure.com
${HOST_HELP}
  --json               results as JSON, one object a line

A running program goes on with the certificate it has until that is due.

Examples

  keybound certs list --directory /var/lib/app/keybound
  keybound certs evict --directory /var/lib/app/keybound --client-id 3a5e...
  keybound certs renew --directory /var/lib/app/keybound --resource https://vault.azure.net
`;

const OPTIONS = {
  ...IDENTITY_OPTIONS,
  ...HOST_OPTIONS,
  attested: { type: "boolean" },
  all: { type: "boolean" },
  resource: { type: "string" },
  json: { type: "boolean" },
} as const;

type CertsValues = Values<typeof OPTIONS>;

/** Name of the key that identities use unless they are told otherwise. */
const KEY_ID = "keybound";

const DEFAULT_RESOURCE = "https://management.azure.com";

/** What an action works on. */
interface Scene extends Surroundings {
  readonly values: CertsValues;
  readonly id: ManagedIdentityId;
  readonly place: CertificatePlace;
  readonly host: DetectedHost;
}

const ACTIONS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = Object.assign(
  Object.create(null),
  { list, evict, renew },
);

/** Options that go with one action only. */
const OPTIONS_OF = {
  attested: "evict",
  all: "evict",
  resource: "renew",
} as const;

/** The command. */
export const certs: Command = {
  summary: "list, evict and renew certificates that are kept",
  help: HELP,
  async run(args, surroundings) {
    const { values, positionals: [action = "", ...rest] } = readArguments(args, OPTIONS);
    const act = ACTIONS[action];
    if (act === undefined || rest.length > 0) {
      throw new UsageError("Write 'keybound certs list', 'evict' or 'renew'.");
    }
    for (const [option, owner] of Object.entries(OPTIONS_OF)) {
      if (values[option as keyof typeof OPTIONS_OF] !== undefined && action !== owner) {
        throw new UsageError(`'--${option}' goes with '${owner}'.`);
      }
    }
    const id = identityOf(values);
    if (values.all && Object.keys(id).length > 0) {
      throw new UsageError("'--all' doesn't go with an identity.");
    }
    understood(() => normalizeResource(values.resource ?? DEFAULT_RESOURCE));
    const { environment } = surroundings;
    const directory = directoryOf(values, environment);
    if (directory === undefined && process.platform !== "win32") {
      throw new UsageError("Name the directory: '--directory <path>', or KEYBOUND_DIRECTORY.");
    }
    const ca = await caOf(values, environment);
    const host = await detect({
      ...(directory === undefined ? {} : { directory }),
      ...(ca === undefined ? {} : { ca }),
      environment: hostVariables(environment),
    });
    try {
      const place = directory === undefined
        ? windowsPlace()
        : directoryPlace(directory, host.keys, KEY_ID, surroundings.signal);
      await act({ ...surroundings, values, id, place, host });
    } finally {
      await host.close();
    }
  },
};

async function list({ values, place, print, note, during, colours }: Scene) {
  const found = await during("Asking the keys", place.facts(Date.now()));
  if (values.json) return found.forEach((each) => print(JSON.stringify(each)));
  if (found.length === 0) return note(`There are no certificates in the ${place.name}.`);
  const rows = found.map(row);
  const head: Cell[] = ["ALIAS", "THUMBPRINT", "LIFE", "LEFT", "KEY"].map((name) => [name, "bold"]);
  for (const line of table([head, ...rows], painter(colours))) print(line);
}

function row({ alias, thumbprint, life, lifeLeft, key }: CertificateFacts): Cell[] {
  const lifeColour: Colour = life === "valid" || life === "due" ? "green" : "yellow";
  const keyColour: Colour = key === "alive" ? "green" : key === "unknown" ? "yellow" : "red";
  return [alias, thumbprint, [life, lifeColour], span(lifeLeft * 1000), [key, keyColour]];
}

async function evict({ values, id, place, host, print, during }: Scene) {
  const alias = certificateAlias(resolveIdentity(id), values.attested === true);
  const aliases = values.all ? await place.aliases() : [alias];
  let evicted = 0;
  const work = async () => {
    for (const each of aliases) {
      evicted += await host.store.lock(each, () => host.store.evict(each));
    }
  };
  await during(`Waiting for the ${place.name}`, work());
  print(values.json ? JSON.stringify({ evicted }) : `Certificates thrown away: ${evicted}.`);
}

/**
 * The new certificate comes to a store in memory, so that the old one stays where it is until the new
 * one has proved itself.
 */
async function renew({ values, id, host, signal, print, during }: Scene) {
  const alias = certificateAlias(resolveIdentity(id), false);
  const identity = managedIdentity({ ...host, ...id, store: memoryStore() });
  const { resource = DEFAULT_RESOURCE } = values;
  const work = host.store.lock(alias, async () => {
    const { binding } = await identity.getToken({ resource, signal });
    const { credential: { leaf }, endpoint, clientId } = binding;
    await host.store.evict(alias);
    await host.store.put(alias, { certificate: leaf.der, endpoint, clientId });
    return binding;
  }, { signal });
  const { credential: { leaf, thumbprint } } = await during("Having a certificate issued", work);
  await identity.close();
  const notAfter = new Date(leaf.notAfter).toISOString();
  print(
    values.json
      ? JSON.stringify({ thumbprint, notAfter })
      : `The new certificate is ${thumbprint}, good until ${notAfter}.`,
  );
}
