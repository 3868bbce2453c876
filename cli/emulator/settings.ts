/**
 * The emulator's settings by flag, environment and file: a flag counts before the environment, the
 * environment before the file, the file before the default.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { check, LISTENERS, optionsSchema } from "../../emulator/schemas.ts";
import type { EmulatorOptions, EmulatorState } from "../../emulator/types.ts";
import { absolutePath, durationOf, oneOf, portNumber, understood } from "../arguments.ts";
import { type Environment, UsageError } from "../command.ts";

/** How a setting is written: as one of some words, or as ... */
type Kind = readonly string[] | "duration" | "duration or none" | "list" | "switch" | "text";

const STATE_KINDS: Readonly<Record<keyof Omit<EmulatorState, "compute">, Kind>> = {
  clockOffset: "duration",
  v1Only: "switch",
  attestation: ["optional", "required"],
  acceptEc: "switch",
  certificateLifetime: "duration",
  certificateBackdate: "duration",
  wrongCertificateKey: "switch",
  revocation: ["invalid_client", "reset"],
  tokenLifetime: "duration",
  tokenRefreshIn: "duration or none",
  tokenType: "text",
  tokenAudience: "text",
  tokenBound: "switch",
  audiences: "list",
  acceptBearer: "switch",
  serverCertificate: ["valid", "expired", "wrong_host", "untrusted"],
  maxTlsVersion: ["TLSv1.2", "TLSv1.3"],
  certificateOverTls13: "switch",
};

/** A setting: its flag, its variable, and where its value goes. */
export interface Setting {
  /** Without dashes at its front. */
  readonly flag: string;
  /** Environment variable. */
  readonly variable: string;
  /** What is written after the flag, for the documentation. */
  readonly value: string;
  /** Path in the file. */
  readonly path: readonly [group: "ports" | "state", key: string];
  /** The value that a text stands for; throws {@linkcode UsageError} that names where it was. */
  read(text: string, where: string): unknown;
}

/** All settings. */
export const SETTINGS: readonly Setting[] = [
  ...LISTENERS.map((name) => setting(`${name}Port`, "port", ["ports", name], portNumber)),
  ...Object.entries(STATE_KINDS).map(([key, kind]) =>
    setting(
      key,
      shownKind(kind),
      ["state", key],
      (text, where) => valueOf(kind, text, where),
    )
  ),
];

function setting(
  name: string,
  value: string,
  path: Setting["path"],
  read: Setting["read"],
): Setting {
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const variable = `KEYBOUND_EMULATOR_${flag.replaceAll("-", "_").toUpperCase()}`;
  return { flag, variable, value, path, read };
}

function shownKind(kind: Kind): string {
  if (typeof kind !== "string") return kind.join("|");
  return {
    "duration": "time",
    "duration or none": "time|none",
    "list": "a,b,...",
    "switch": "true|false",
    "text": "text",
  }[kind];
}

function valueOf(kind: Kind, text: string, where: string): unknown {
  switch (kind) {
    case "duration":
      return durationOf(text, where);
    case "duration or none":
      return text === "none" ? null : durationOf(text, where);
    case "list":
      return text.split(",").filter((item) => item !== "");
    case "switch":
      return oneOf(text, ["true", "false"], where) === "true";
    case "text":
      return text;
    default:
      return oneOf(text, kind, where);
  }
}

/** The environment variable that names the file. */
export const CONFIG_VARIABLE = "KEYBOUND_EMULATOR_CONFIG";

/** Options of `parseArgs` for the settings and the file. */
export const SETTING_OPTIONS: Readonly<Record<string, { readonly type: "string" }>> = Object
  .fromEntries(["config", ...SETTINGS.map(({ flag }) => flag)].map((
    flag,
  ) => [flag, { type: "string" }]));

/** The emulator's options. Rejects with {@linkcode UsageError} for any that isn't understood. */
export async function readSettings(
  values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
  environment: Environment,
): Promise<EmulatorOptions> {
  const file = await readConfig(values["config"]?.toString() ?? environment[CONFIG_VARIABLE] ?? "");
  const set = { ports: {}, state: {} } as Record<"ports" | "state", Record<string, unknown>>;
  for (const { flag, variable, path: [group, key], read } of SETTINGS) {
    const given = values[flag]?.toString();
    const fallback = environment[variable] ?? "";
    if (given !== undefined) set[group][key] = read(given, `--${flag}`);
    else if (fallback !== "") set[group][key] = read(fallback, variable);
  }
  const options = { ...file, ports: merged(file, "ports", set), state: merged(file, "state", set) };
  return understood(() => check(optionsSchema, options, "config"));
}

/** What the file says of a group, but for what was set otherwise. */
function merged(
  file: Readonly<Record<string, unknown>>,
  group: Setting["path"][0],
  set: Readonly<Record<Setting["path"][0], object>>,
): object {
  const value = file[group] ?? {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new UsageError(`'${group}' of the configuration is no object.`);
  }
  return { ...value, ...set[group] };
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  if (path === "") return {};
  const text = await readFile(absolutePath(path, "--config"), "utf8").catch(() => undefined);
  if (text === undefined) throw new UsageError("The configuration file can't be read.");
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) {
      return config as Record<string, unknown>;
    }
  } catch {
    // As for anything else that is no JSON object.
  }
  throw new UsageError("The configuration file is no JSON object.");
}
