/**
 * The environment as the program sees it: what the runtime doesn't let it read counts as unset.
 *
 * @module
 */

import process from "node:process";
import { isPermitted } from "../backends/host/permissions.ts";
import type { Environment } from "./command.ts";

/** The variables of this process, each read when it is asked for. Nobody is asked at a terminal. */
export function ownEnvironment(): Environment {
  return new Proxy<Record<string, string | undefined>>({}, {
    get: (_, name) =>
      typeof name === "string" && isPermitted({ name: "env", variable: name })
        ? process.env[name]
        : undefined,
  });
}
