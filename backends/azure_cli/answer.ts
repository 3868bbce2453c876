/**
 * What the Azure CLI prints, and what its refusals mean.
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, KeyboundError } from "../../src/errors.ts";
import { fields, parseJson, text } from "../../src/parse.ts";
import { refreshTime } from "../../src/policy/token_life.ts";
import type { BearerAnswer } from "../../src/sources/source.ts";

/** Seconds since the epoch, as a number: of `az` 2.54 and later. */
const EpochSeconds = v.custom<number>((value) =>
  Number.isSafeInteger(value) && value as number > 978_307_200 && value as number < 1e11
);

const Success = fields({
  // RFC 6750 section 2.1: what a header can carry.
  accessToken: text(/^[\x21-\x7e]{1,65536}$/),
  expires_on: EpochSeconds,
  tokenType: text(/^bearer$/i),
});

/** How a run of the CLI ended. */
export interface CliRun {
  /** Exit status; `undefined` where it was ended by a signal. */
  readonly status: number | undefined;
  /** Standard output. */
  readonly output: string;
  /** Standard error. */
  readonly errors: string;
}

/**
 * The token in what was printed. Throws `managed_identity_request_failed` where the CLI failed,
 * `managed_identity_response_parse_failure` for output that is none of its answers, and
 * `invalid_token_provider_response_value` for a token that has expired.
 */
export function readCliAnswer(run: CliRun, now: number, correlationId: string): BearerAnswer {
  const refuse = (code: ErrorCode, advice: string) =>
    new KeyboundError(code, `[AzureCli] ${advice}`, { correlationId, source: "AzureCli" });
  if (run.status !== 0) throw refuse("managed_identity_request_failed", adviceOn(run));
  const message = parseJson(Success, run.output);
  if (message === undefined) {
    throw refuse(
      "managed_identity_response_parse_failure",
      "The output isn't a token with its expires_on. Update the Azure CLI to 2.54 or later.",
    );
  }
  const expiresOn = message.expires_on * 1000;
  if (expiresOn <= now) {
    throw refuse(
      "invalid_token_provider_response_value",
      "The token has expired. Check this host's clock, and run `az login`.",
    );
  }
  const refreshOn = refreshTime({ receivedOn: now, expiresIn: expiresOn - now });
  return {
    accessToken: message.accessToken,
    expiresOn,
    ...(refreshOn === undefined ? {} : { refreshOn }),
    source: "AzureCli",
  };
}

/** Entra's codes for a login that is missing, has ended or wants more, such as a second factor. */
const SIGN_IN = /^AADSTS(?:50058|5007[689]|5013[23]|50158|50173|70008|7004[34]|70008[24])$/;

/** What to do about a failure. The CLI's own words aren't repeated: they may hold anything. */
function adviceOn({ status, errors }: CliRun): string {
  const code = /\bAADSTS\d{4,8}\b/.exec(errors)?.[0];
  // The CLI advises to sign in after every refusal of Entra's.
  const isSignIn = code === undefined
    ? /az login|not logged in|interactive authentication/i.test(errors)
    : SIGN_IN.test(code);
  if (isSignIn) return "Nobody is signed in, or not any more. Run `az login`.";
  const known = code === undefined ? "" : ` (${code})`;
  return `The Azure CLI failed with status ${
    status ?? "none"
  }${known}. Run \`az account get-access-token\` to see why.`;
}
