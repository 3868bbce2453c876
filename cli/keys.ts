/**
 * `keybound keys`: keys in an HSM or TPM, or in the files of a directory.
 *
 * @module
 */

import type { KeyAlgorithm } from "../src/keys.ts";
import { oneOf, readArguments, type Values } from "./arguments.ts";
import { type Command, type Surroundings, UsageError } from "./command.ts";
import { directoryOf } from "./host.ts";
import { directoryKeys } from "./keys/directory.ts";
import { type KeyPlace } from "./keys/place.ts";
import { tokenKeys } from "./keys/token.ts";
import { plainText } from "./style.ts";

const HELP = `keybound keys create|list|remove [name] [options]

Makes, lists and destroys keys: in an HSM or TPM through its PKCS#11 module, or in the files of a
directory.

  create [name]   a new key, in place of one of this name; without a name, "keybound"
  list            all private keys there
  remove <name>   destroys the key of this name; certificates over it are worth nothing from then on

  --pkcs11 <uri>       the token, as a pkcs11: URI (RFC 7512) with module-path;
                       default: the environment variable KEYBOUND_PKCS11_URI
  --directory <path>   files instead: keys in software; default: KEYBOUND_DIRECTORY
  --module <path>      the PKCS#11 module, over the URI's module-path
  --algorithm <kind>   for create: RSA-2048 (default), RSA-3072 or P-256
  --pin-source <file>  the PIN is the first line of this file (mode 0600)
  --pin-env <name>     the PIN is in this environment variable
  --json               results as JSON, one object a line

The PIN is asked for on the terminal where nothing says where it is. It is never an argument: other
users see those.

Examples

  keybound keys create --directory /var/lib/app/keybound
  keybound keys create --pkcs11 'pkcs11:token=app?module-path=/usr/lib/softhsm/libsofthsm2.so'
  keybound keys list --json --pin-source /etc/app/pin --pkcs11 'pkcs11:token=app?module-path=...'
  keybound keys remove keybound --pin-env TOKEN_PIN --pkcs11 'pkcs11:token=app?module-path=...'
`;

const OPTIONS = {
  pkcs11: { type: "string" },
  directory: { type: "string" },
  module: { type: "string" },
  algorithm: { type: "string" },
  "pin-source": { type: "string" },
  "pin-env": { type: "string" },
  json: { type: "boolean" },
} as const;

/** Options of the command. */
export type KeysValues = Values<typeof OPTIONS>;

/** Name of the key that bindings use unless they are told otherwise. */
const DEFAULT_NAME = "keybound";

const ALGORITHMS: readonly KeyAlgorithm[] = ["RSA-2048", "RSA-3072", "P-256"];

/** The command. */
export const keys: Command = {
  summary: "make, list and remove keys in an HSM, a TPM or files",
  help: HELP,
  async run(args, surroundings) {
    const { values, positionals: [action, name, ...rest] } = readArguments(args, OPTIONS);
    if (rest.length > 0) throw unknownAction();
    const work = workOf(action, name, values);
    const place = await placeOf(values, surroundings);
    try {
      await work(place, surroundings);
    } finally {
      await place.close();
    }
  },
};

type Work = (place: KeyPlace, surroundings: Surroundings) => Promise<void>;

/** What is to be done. Throws {@linkcode UsageError} before anything is. */
function workOf(
  action: string | undefined,
  name: string | undefined,
  { algorithm: kind, json }: KeysValues,
): Work {
  if (kind !== undefined && action !== "create") {
    throw new UsageError("'--algorithm' goes with 'create'.");
  }
  const algorithm = oneOf(kind ?? "RSA-2048", ALGORITHMS, "--algorithm");
  switch (action) {
    case "create":
      return async (place, { print, during }) => {
        const made = await during("Making a key", place.create(name ?? DEFAULT_NAME, algorithm));
        const { id, uri } = made;
        print(json ? JSON.stringify(made) : `Made the ${algorithm} key '${id}': ${uri}`);
      };
    case "list":
      if (name !== undefined) throw new UsageError("'keybound keys list' lists all keys.");
      return async (place, { print, during }) => {
        for (const key of await during("Looking for keys", place.list())) {
          const fault = key.fault === undefined ? "" : ` (${plainText(key.fault)})`;
          const line = `${(key.algorithm ?? "other").padEnd(10)}${key.uri}${fault}`;
          print(json ? JSON.stringify(key) : line);
        }
      };
    case "remove":
      if (name === undefined) throw new UsageError("Name the key: 'keybound keys remove <name>'.");
      return async (place, { print, during }) => {
        await during("Removing the key", place.remove(name));
        print(json ? JSON.stringify({ id: name }) : `There is no key '${name}' any more.`);
      };
    default:
      throw unknownAction();
  }
}

function unknownAction(): UsageError {
  return new UsageError("Write 'keybound keys create', 'list' or 'remove'.");
}

/** Options first; then, as for identities, a token of the environment before a directory of it. */
async function placeOf(values: KeysValues, surroundings: Surroundings): Promise<KeyPlace> {
  if (values.directory !== undefined) {
    const others = (["pkcs11", "module", "pin-source", "pin-env"] as const)
      .filter((option) => values[option] !== undefined);
    if (others.length > 0) throw new UsageError(`'--directory' doesn't go with '--${others[0]}'.`);
  }
  const token = values.directory === undefined ? await tokenKeys(values, surroundings) : undefined;
  if (token !== undefined) return token;
  const directory = directoryOf(values, surroundings.environment);
  if (directory !== undefined) return directoryKeys(directory);
  throw new UsageError(
    "Name the token or the directory: '--pkcs11 <uri>' or KEYBOUND_PKCS11_URI, '--directory <path>'.",
  );
}
