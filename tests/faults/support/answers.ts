/**
 * What endpoints may answer.
 *
 * @module
 */

import {
  invalidClient,
  oauthFailure,
  redirect,
  type Step,
  throttled,
  unavailable,
} from "../../../emulator/mod.ts";
import type { Endpoint } from "./faults.ts";
import type { Random } from "./random.ts";

/** What an endpoint may answer instead of what it should. */
export function misbehaviour(random: Random, endpoint: Endpoint): Step {
  const status = random.between(400, 599);
  const seconds = random.pick([0, 1, 30, 3_600, 999_999]);
  const common: (() => Step)[] = [
    () => unavailable(status),
    () => ({ kind: "respond", status, headers: { "retry-after": `${seconds}` }, body: "" }),
    () => throttled(seconds),
    () => ({ kind: "respond", status: 429, body: "" }),
    () => ({ kind: "respond", status, json: { error: { code: [status] } } }),
    () => ({ kind: "respond", body: "<html>captive portal</html>" }),
    () => ({ kind: "respond", body: '{"access_token":"a.b.c","certificate":"AAAA","client' }),
    () => ({ kind: "respond", json: [null] }),
    () => ({ kind: "respond", body: "" }),
    () => ({ kind: "respond", status: random.pick([201, 204, 206]), body: "" }),
    () => redirect("https://127.0.0.1:1/elsewhere", random.pick([301, 302, 303, 307, 308])),
    () => ({ kind: "amend", headers: { "content-type": "text/html" } }),
    () => ({ kind: "amend", status }),
    () => ({ kind: "drop", how: random.pick(["reset", "fin"]) }),
    () => ({ kind: "truncate", after: random.between(0, 900), how: random.pick(["reset", "fin"]) }),
    () => ({ kind: "flood", bytes: 1_048_576 + random.between(0, 200_000) }),
  ];
  const special: Record<Endpoint, (() => Step)[]> = {
    getplatformmetadata: [
      () => ({ kind: "respond", status: 404, body: "" }),
      () => ({ kind: "respond", status: 410, body: "" }),
      () => ({ kind: "amend", removeHeaders: ["server"] }),
      () => ({ kind: "amend", omit: [random.pick(["clientId", "tenantId", "cuId"])] }),
    ],
    issuecredential: [
      () => ({ kind: "respond", status: random.pick([404, 408, 410]), body: "" }),
      () => ({ kind: "amend", omit: [random.pick(["client_id", "certificate"])] }),
      () => ({ kind: "amend", merge: { certificate: random.pick(["", "AAAA", "MAA=", "%"]) } }),
    ],
    token: [
      invalidClient,
      invalidClient,
      () => oauthFailure(random.pick(["invalid_scope", "unauthorized_client", "interaction"])),
      () => ({ kind: "amend", merge: { token_type: random.pick(["Bearer", "pop", 7]) } }),
      () => ({ kind: "amend", merge: { expires_in: random.pick([0, -1, "soon", 1e300]) } }),
      () => ({ kind: "amend", omit: [random.pick(["token_type", "access_token", "expires_in"])] }),
      () => ({ kind: "amend", merge: { expires_in: random.between(1, 400) } }),
      () => ({ kind: "amend", merge: { refresh_in: 0 } }),
    ],
  };
  return random.pick([...common, ...special[endpoint]])();
}
