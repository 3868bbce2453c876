/**
 * Keys in an HSM, a TPM or a smart card.
 *
 * @module
 */

import { fileExists } from "../../backends/host/files.ts";
import {
  findPkcs11,
  parsePkcs11Uri,
  pinFile,
  type PinSource,
  pkcs11Keys,
  type Pkcs11Options,
} from "../../backends/pkcs11/mod.ts";
import { type Environment, type Surroundings, UsageError } from "../command.ts";
import { type KeyPlace, madeKey } from "./place.ts";

/** Options that name a token and say how to log in to it. */
export interface TokenValues {
  readonly pkcs11?: string;
  readonly module?: string;
  readonly "pin-source"?: string;
  readonly "pin-env"?: string;
}

/** The keys of the token that the options or the environment name; `undefined` where none does. */
export async function tokenKeys(
  values: TokenValues,
  surroundings: Surroundings,
): Promise<KeyPlace | undefined> {
  const options = await tokenOptions(values, surroundings);
  if (options === undefined) return undefined;
  const provider = pkcs11Keys(options);
  return {
    async create(name, algorithm) {
      const key = await provider.create(name, { algorithm });
      return madeKey(key, key.uri, algorithm);
    },
    list: () => provider.list(),
    remove: (name) => provider.remove(name),
    close: () => provider.close(),
  };
}

/** Where the token is and how to get its PIN, which is asked for only when it is needed. */
async function tokenOptions(
  values: TokenValues,
  { environment, askSecret }: Surroundings,
): Promise<Pkcs11Options | undefined> {
  const chosen = pinOf(values, environment);
  const known = values.pkcs11 === undefined
    ? await findPkcs11(environment, fileExists)
    : { uri: values.pkcs11, module: values.module };
  if (known === undefined) return undefined;
  const module = values.module ?? known.module;
  const { token = "", pinSource } = parsePkcs11Uri(known.uri);
  const pin = chosen ??
    (pinSource === undefined ? () => askSecret(`PIN of the token '${token}': `) : undefined);
  return {
    uri: known.uri,
    ...(module === undefined ? {} : { module }),
    ...(pin === undefined ? {} : { pin }),
  };
}

function pinOf(values: TokenValues, environment: Environment): PinSource | undefined {
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
