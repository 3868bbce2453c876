/**
 * `keybound keys`: keys in an HSM or TPM.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  findPkcs11,
  parsePkcs11Uri,
  pinFile,
  type PinSource,
  type Pkcs11KeyProvider,
  pkcs11Keys,
} from "../backends/pkcs11/mod.ts";
import { fileExists } from "../backends/host/files.ts";
import { base64 } from "../src/encoding.ts";
import type { KeyAlgorithm } from "../src/keys.ts";
import { type Command, type Surroundings, UsageError } from "./command.ts";

const HELP = `keybound keys create|list|remove [name] [options]

Makes, lists and destroys keys in an HSM or TPM, through its PKCS#11 module.

  create [name]   a new key, in place of one of this name; the name is "keybound" where none is given
  list            all private keys of the token
  remove <name>   destroys the key of this name

  --pkcs11 <uri>       the token, as a pkcs11: URI (RFC 7512) with module-path;
                       default: the environment variable KEYBOUND_PKCS11_URI
  --module <path>      the PKCS#11 module, over the URI's module-path
  --algorithm <kind>   for create: RSA-2048 (default), RSA-3072 or P-256
  --pin-source <file>  the PIN is the first line of this file (mode 0600)
  --pin-env <name>     the PIN is in this environment variable
  --json               results as JSON, one object a line

The PIN is asked for on the terminal where nothing says where it is. It is never an argument: other
users see those.

Examples

  keybound keys create --pkcs11 'pkcs11:token=app?module-path=/usr/lib/softhsm/libsofthsm2.so'
  keybound keys list --json --pin-source /etc/app/pin --pkcs11 'pkcs11:token=app?module-path=...'
  keybound keys remove keybound --pin-env TOKEN_PIN --pkcs11 'pkcs11:token=app?module-path=...'
`;

const OPTIONS = {
  pkcs11: { type: "string" },
  module: { type: "string" },
  algorithm: { type: "string" },
  "pin-source": { type: "string" },
  "pin-env": { type: "string" },
  json: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parse>["values"];

/** Name of the key that bindings use unless they are told otherwise. */
const DEFAULT_NAME = "keybound";

/** The command. */
export const keys: Command = {
  summary: "make, list and remove keys in an HSM or TPM",
  help: HELP,
  async run(args, surroundings) {
    const { values, positionals: [action, name, ...rest] } = parse(args);
    const work = ACTIONS[action ?? ""];
    if (work === undefined || rest.length > 0) {
      throw new UsageError("Write 'keybound keys create', 'list' or 'remove'.");
    }
    if (values.algorithm !== undefined && action !== "create") {
      throw new UsageError("'--algorithm' goes with 'create'.");
    }
    const provider = pkcs11Keys(await tokenOptions(values, surroundings));
    try {
      await work(provider, name, values, surroundings);
    } finally {
      await provider.close();
    }
  },
};

type Action = (
  provider: Pkcs11KeyProvider,
  name: string | undefined,
  values: Values,
  surroundings: Surroundings,
) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = Object.assign(Object.create(null), {
  create: (async (provider, name = DEFAULT_NAME, { algorithm = "RSA-2048", json }, { print }) => {
    const { id, uri, schemes, spki, strength } = await provider.create(name, {
      algorithm: algorithm as KeyAlgorithm,
    });
    const result = { id, uri, algorithm, strength, schemes, spki: base64(spki) };
    print(json ? JSON.stringify(result) : `Made the ${algorithm} key '${id}': ${uri}`);
  }) satisfies Action,
  list: (async (provider, name, { json }, { print }) => {
    if (name !== undefined) throw new UsageError("'keybound keys list' lists all keys.");
    for (const key of await provider.list()) {
      print(json ? JSON.stringify(key) : `${(key.algorithm ?? "other").padEnd(10)}${key.uri}`);
    }
  }) satisfies Action,
  remove: (async (provider, name, { json }, { print }) => {
    if (name === undefined) throw new UsageError("Name the key: 'keybound keys remove <name>'.");
    await provider.remove(name);
    print(json ? JSON.stringify({ id: name }) : `There is no key '${name}' any more.`);
  }) satisfies Action,
});

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    // Its own message may repeat an argument, and that may be a PIN.
    throw new UsageError("There is an option that isn't known, or one that lacks its value.", {
      cause: (cause as { code?: string }).code,
    });
  }
}

/** Where the token is and how to get its PIN, which is asked for only when it is needed. */
async function tokenOptions(
  values: Values,
  { environment, askSecret }: Surroundings,
): Promise<Parameters<typeof pkcs11Keys>[0]> {
  const known = values.pkcs11 === undefined
    ? await findPkcs11(environment, fileExists)
    : { uri: values.pkcs11, module: values.module };
  if (known === undefined) {
    throw new UsageError("Name the token: '--pkcs11 <uri>', or KEYBOUND_PKCS11_URI.");
  }
  const module = values.module ?? known.module;
  const { token = "", pinSource } = parsePkcs11Uri(known.uri);
  const pin = pinOf(values, environment) ??
    (pinSource === undefined ? () => askSecret(`PIN of the token '${token}': `) : undefined);
  return {
    uri: known.uri,
    ...(module === undefined ? {} : { module }),
    ...(pin === undefined ? {} : { pin }),
  };
}

function pinOf(values: Values, environment: Surroundings["environment"]): PinSource | undefined {
  const { "pin-source": file, "pin-env": variable } = values;
  if (file !== undefined && variable !== undefined) {
    throw new UsageError("Give one of '--pin-source' and '--pin-env'.");
  }
  if (file !== undefined) return pinFile(file);
  if (variable === undefined) return undefined;
  const pin = environment[variable];
  if (pin === undefined) throw new UsageError(`The environment variable '${variable}' isn't set.`);
  return () => pin;
}
