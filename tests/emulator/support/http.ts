/**
 * Requests as the tests of the emulator send them: by node:http and node:https, nothing between.
 *
 * @module
 */

import http from "node:http";
import https from "node:https";
import { setImmediate as turn } from "node:timers/promises";
import type { Emulator, Json } from "../../../emulator/mod.ts";

/** A certificate and its key, PEM. */
export interface ClientPem {
  readonly cert: string;
  readonly key: string;
}

/** What to send. */
export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** PEM of the CA to trust, for https. */
  readonly ca?: string;
  /** Client certificate, for https. */
  readonly client?: ClientPem;
  /** The one TLS version to speak, for https. */
  readonly version?: "TLSv1.2" | "TLSv1.3";
  /** Agent to use in place of a connection of its own. */
  readonly agent?: https.Agent | http.Agent;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as a JSON object. */
  readonly json: Record<string, Json>;
}

/** Sends a request; rejects with what the runtime makes of a failure. */
export function send(url: string, sending: Sending = {}): Promise<Answer> {
  const { method = "GET", headers = {}, body, ca, client, version } = sending;
  const secure = url.startsWith("https:");
  const versions = version === undefined ? {} : { minVersion: version, maxVersion: version };
  const agent = sending.agent ??
    (secure ? new https.Agent({ ...client, ca, ...versions }) : new http.Agent());
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? https : http).request(
      url,
      { method, headers, agent },
      (response) => {
        const chunks: Uint8Array[] = [];
        response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        response.on("error", reject);
        response.on(
          "aborted",
          () => reject(Object.assign(new Error("aborted"), { aborted: true })),
        );
        response.on("end", () => {
          const whole = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: whole,
            get json() {
              return JSON.parse(whole.toString("utf8"));
            },
          });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  }).finally(() => {
    if (sending.agent === undefined) agent.destroy();
  }) as Promise<Answer>;
}

/** Query of a v2 metadata request. */
export const V2 = "cred-api-version=2.0";

/** `GET` of a metadata path with the `Metadata` header. */
export function getMetadata(
  emulator: Emulator,
  pathAndQuery: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(`${emulator.metadata}/metadata/${pathAndQuery}`, {
    headers: { metadata: "true", ...headers },
  });
}

/** `POST` of a credential request. */
export function postCredential(
  emulator: Emulator,
  body: Json | string,
  options: { query?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const url = `${emulator.metadata}/metadata/identity/issuecredential?${options.query ?? V2}`;
  return send(url, {
    method: "POST",
    headers: { metadata: "true", "content-type": "application/json", ...options.headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** `POST` of a form to the token endpoint of a tenant. */
export function postToken(
  emulator: Emulator,
  tenantId: string,
  form: Readonly<Record<string, string>> | string,
  sending: Sending = {},
): Promise<Answer> {
  return send(`${emulator.mtls}/${tenantId}/oauth2/v2.0/token`, {
    method: "POST",
    ca: emulator.ca,
    ...sending,
    headers: { "content-type": "application/x-www-form-urlencoded", ...sending.headers },
    body: typeof form === "string" ? form : new URLSearchParams(form).toString(),
  });
}

/** Name, code and message of a failure, as one text. */
export function failureText(error: unknown): string {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  return `${name} ${code} ${message}`;
}

/** The failure of a promise that must fail. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`It should have failed, but gave ${JSON.stringify(value)}.`);
}

/** Waits, turn by turn, until the condition holds; rejects after 10 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error("It never came to pass.");
    await turn();
  }
}
