/**
 * `keybound doctor`: looks at every hop between this program and a token.
 *
 * @module
 */

import { detect, type DetectedHost } from "../backends/detect.ts";
import { resolveIdentity } from "../src/identity.ts";
import { managedIdentity } from "../src/managed_identity.ts";
import type { Capabilities } from "../src/sources/source.ts";
import { normalizeResource } from "../src/token/request.ts";
import { readOptions, understood } from "./arguments.ts";
import type { Command, Surroundings } from "./command.ts";
import { exitCodeOf, type Finding, type Verdict } from "./doctor/finding.ts";
import { certificateFindings, tryKeys } from "./doctor/keys.ts";
import { environmentFindings, programFindings } from "./doctor/program.ts";
import {
  askMetadata,
  brokenCheck,
  capabilityFindings,
  metadataFinding,
  type TimeSeen,
} from "./doctor/service.ts";
import { clockFinding, tryToken } from "./doctor/token.ts";
import { tryWindows } from "./doctor/windows.ts";
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
import { type Colour, painter, plainText } from "./style.ts";

const HELP = `keybound doctor [options]

Looks at every hop between this program and a token: the runtime and its permissions, environment
variables (names, never values), the metadata service, the source and what it can do, keys (each
signs), what Windows can do and keeps, certificates kept, a token, TLS to its endpoint, the clock.
It keeps nothing and changes nothing; the token and its certificate are forgotten.

  --resource <uri>     what the token is asked for; default: https://management.azure.com
${IDENTITY_HELP}
${HOST_HELP}
  --json               one JSON object a line: {"check","verdict","detail","advice"}

The exit code is that of the worst verdict: 0 for ok and info, 1 for warning, 2 for failure (and for
arguments that aren't understood, with nothing on standard output).

Examples

  keybound doctor
  keybound doctor --directory /var/lib/app/keybound --json | jq -r 'select(.verdict != "ok")'
  AZURE_POD_IDENTITY_AUTHORITY_HOST=http://127.0.0.1:8080 keybound doctor --ca ./emulator/ca.pem
`;

const OPTIONS = {
  ...IDENTITY_OPTIONS,
  ...HOST_OPTIONS,
  resource: { type: "string" },
  json: { type: "boolean" },
} as const;

const DEFAULT_RESOURCE = "https://management.azure.com";

/** Milliseconds for the capabilities; the metadata service may be slow on its first request. */
const CAPABILITIES_DEADLINE = 5000;

/** The command. */
export const doctor: Command = {
  summary: "look at every hop between this program and a token",
  help: HELP,
  async run(args, surroundings) {
    const values = readOptions(args, OPTIONS);
    const { resource = DEFAULT_RESOURCE } = values;
    understood(() => normalizeResource(resource));
    const id = identityOf(values);
    const { environment, print, colours } = surroundings;
    const directory = directoryOf(values, environment);
    const ca = await caOf(values, environment);
    const paint = painter(colours);
    const findings: Finding[] = [];
    const report = (...found: readonly Finding[]) => {
      for (const each of found) {
        const { check, verdict } = each;
        const [detail, advice] = [plainText(each.detail), plainText(each.advice)];
        findings.push(each);
        if (values.json) {
          print(JSON.stringify({ check, verdict, detail, advice }));
          continue;
        }
        print(`${paint(COLOURS[verdict], verdict.padEnd(9))}${check.padEnd(18)}${detail}`);
        if (advice !== "") print(`${" ".repeat(27)}${paint("dim", `> ${advice}`)}`);
      }
    };

    report(...programFindings(), ...environmentFindings(environment));
    const options = {
      ...(directory === undefined ? {} : { directory }),
      ...(ca === undefined ? {} : { ca }),
      environment: hostVariables(environment),
    };
    let host: DetectedHost;
    try {
      host = await detect(options);
    } catch (error) {
      report(
        brokenCheck("backends", error, "No weaker keys take its place: correct it, or unset it."),
      );
      return exitCodeOf(findings);
    }
    try {
      await examine(host, { directory, id, resource, report, ...surroundings });
    } finally {
      await host.close();
    }
    return exitCodeOf(findings);
  },
};

const COLOURS: Readonly<Record<Verdict, Colour>> = {
  ok: "green",
  info: "cyan",
  warning: "yellow",
  failure: "red",
};

interface Examination extends Surroundings {
  readonly directory: string | undefined;
  readonly id: ReturnType<typeof identityOf>;
  readonly resource: string;
  readonly report: (...findings: readonly Finding[]) => void;
}

/** The hops that take the network and keys. */
async function examine(host: DetectedHost, examination: Examination): Promise<void> {
  const { directory, id, resource, report, signal, during } = examination;
  const times: TimeSeen[] = [];
  const capabilities = await during(
    "Asking the metadata service",
    service(host, examination, times),
  );
  const { keys, findings } = await during("Asking the keys", tryKeys(host, signal));
  report(...findings, ...await during("Asking Windows", tryWindows(host)));
  report(...await certificateFindings(directory, host, signal));
  if (capabilities?.source === undefined) return;
  const binding = capabilities.boundTokens ? "mtls_pop" : "bearer";
  const trial = tryToken({ host, id, keys, resource, binding, signal });
  const { findings: found, time } = await during("Getting a token", trial);
  report(...found, clockFinding(time === undefined ? times : [...times, time]));
}

/** The metadata service and what the host can do; `undefined` where the environment is wrong. */
async function service(
  host: DetectedHost,
  { id, report, signal }: Examination,
  times: TimeSeen[],
): Promise<Capabilities | undefined> {
  const identity = managedIdentity({ ...host, ...id });
  try {
    const [capabilities, seen] = await Promise.all([
      identity.capabilities({ deadline: CAPABILITIES_DEADLINE, signal }),
      askMetadata(host, resolveIdentity(id), signal),
    ]);
    if (seen.time !== undefined) times.push(seen.time);
    report(metadataFinding(seen, capabilities), ...capabilityFindings(capabilities));
    return capabilities;
  } catch (error) {
    signal.throwIfAborted();
    report(brokenCheck("source", error, "Correct the environment variable that it names."));
    return undefined;
  } finally {
    await identity.close();
  }
}
