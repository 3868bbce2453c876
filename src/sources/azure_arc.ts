/**
 * Azure Arc: a request, and a challenge that only a process with access to a file can answer
 * (protocol.md sections 7.3, 7.4, 7.6).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { windowsFolder } from "./detect.ts";
import {
  assertSystemAssigned,
  endpointVariable,
  isHeaderText,
  withParameters,
} from "./endpoint.ts";
import type { BearerQuery, Environment, HostAccess, SourceRequest } from "./source.ts";

const SOURCE = "AzureArc";
const DEFAULT_ENDPOINT = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

/** Largest challenge file, bytes. */
const MAX_SECRET = 4096;

/** The agent names its files by UUIDs. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,120}\.key$/;

/**
 * The token request, to be answered with a challenge. Throws `invalid_managed_identity_endpoint` and
 * `user_assigned_managed_identity_not_supported`.
 */
export function azureArcRequest(
  environment: Environment,
  { identity, resource }: Pick<BearerQuery, "identity" | "resource">,
): SourceRequest {
  assertSystemAssigned(identity, SOURCE);
  const endpoint = (environment.IDENTITY_ENDPOINT ?? "") === ""
    ? new URL(DEFAULT_ENDPOINT)
    : endpointVariable(environment, "IDENTITY_ENDPOINT", SOURCE);
  return {
    url: withParameters(endpoint, [["api-version", "2020-06-01"], ["resource", resource]]),
    init: { method: "GET", headers: { Metadata: "true" } },
  };
}

/**
 * The request again, with what the challenge asks for. Rejects with `managed_identity_request_failed`
 * for a challenge that isn't one of Azure Arc's and for a file that isn't as it should be.
 */
export async function answerArcChallenge(
  request: SourceRequest,
  challenge: Answer,
  environment: Environment,
  host: HostAccess,
  correlationId: string,
): Promise<SourceRequest> {
  const refuse = (reason: string, cause?: unknown) =>
    new KeyboundError("managed_identity_request_failed", `[${SOURCE}] ${reason}`, {
      cause,
      status: challenge.status,
      correlationId,
      source: SOURCE,
    });
  const header = challenge.headers.get("www-authenticate");
  if (header === null) throw refuse("There was no challenge. Check that the agent is up to date.");
  const path = /^Basic realm=([^=]+)$/i.exec(header)?.[1];
  if (path === undefined) throw refuse("The challenge is invalid.");
  const folder = challengeFolder(host.platform, environment);
  if (folder === undefined) throw refuse("There are no challenge files on this platform.");
  if (!path.startsWith(folder) || !FILE_NAME.test(path.slice(folder.length))) {
    throw refuse("The challenge names an invalid file: not one of the agent's own.");
  }
  const content = await host.readSecretFile(path, MAX_SECRET).catch((cause) => {
    throw refuse(
      "The challenge's file can't be read. Is this user in the agent's group (himds)?",
      cause,
    );
  });
  const secret = content.replace(/\r?\n$/, "");
  if (content.length > MAX_SECRET || !isHeaderText(secret)) {
    throw refuse("The challenge's file holds no secret.");
  }
  const headers = { ...request.init.headers, Authorization: `Basic ${secret}` };
  return { ...request, init: { ...request.init, headers } };
}

/** The one folder that challenge files are in, with the separator at its end. */
function challengeFolder(
  platform: HostAccess["platform"],
  environment: Environment,
): string | undefined {
  if (platform === "linux") return "/var/opt/azcmagent/tokens/";
  const folder = platform === "windows" ? windowsFolder(environment, "ProgramData") : undefined;
  return folder === undefined ? undefined : `${folder}\\AzureConnectedMachineAgent\\Tokens\\`;
}
