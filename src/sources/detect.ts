/**
 * Which source of managed identities a host has (protocol.md section 7.1).
 *
 * @module
 */

import type { Environment, HostAccess, SourceName } from "./source.ts";

/**
 * The source that the environment names, `undefined` where it names none. A variable that is empty
 * isn't there.
 */
export function environmentSource(environment: Environment): SourceName | undefined {
  const has = (name: string) => (environment[name] ?? "") !== "";
  if (has("IDENTITY_ENDPOINT") && has("IDENTITY_HEADER")) {
    return has("IDENTITY_SERVER_THUMBPRINT") ? "ServiceFabric" : "AppService";
  }
  if (has("MSI_ENDPOINT")) return has("MSI_SECRET") ? "MachineLearning" : "CloudShell";
  return has("IDENTITY_ENDPOINT") && has("IMDS_ENDPOINT") ? "AzureArc" : undefined;
}

/** Where Azure Arc's agent has its identity service; nowhere on platforms it doesn't run on. */
export function arcAgentPath(
  platform: HostAccess["platform"],
  environment: Environment,
): string | undefined {
  if (platform === "linux") return "/opt/azcmagent/bin/himds";
  const folder = platform === "windows" ? windowsFolder(environment, "ProgramFiles") : undefined;
  return folder === undefined ? undefined : `${folder}\\AzureConnectedMachineAgent\\himds.exe`;
}

/** An absolute path from the environment of Windows, where case doesn't tell names apart. */
export function windowsFolder(
  environment: Environment,
  name: "ProgramData" | "ProgramFiles",
): string | undefined {
  const folder = environment[name] ?? environment[name.toUpperCase()];
  return folder !== undefined && /^[A-Za-z]:\\[^/:*?"<>|\p{Cc}]*[^\\/:*?"<>|\p{Cc}]$/u.test(folder)
    ? folder
    : undefined;
}

/** The source of this host; no request is made. */
export async function findSource(environment: Environment, host: HostAccess): Promise<SourceName> {
  const named = environmentSource(environment);
  if (named !== undefined) return named;
  const agent = arcAgentPath(host.platform, environment);
  return agent !== undefined && await host.exists(agent) ? "AzureArc" : "Imds";
}
