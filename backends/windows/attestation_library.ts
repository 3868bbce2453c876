/**
 * `AttestationClientLib.dll`, from the package `Microsoft.Azure.Security.KeyGuardAttestation`
 * (protocol.md section 5.2).
 *
 * @module
 */

import { utf8 } from "../../src/encoding.ts";
import { type Ffi, layout, type NativeCallback, signature } from "../ffi/mod.ts";
import { type AttestationLogLine, attestationLogLine } from "./attestation_log.ts";
import { bind, type FunctionTable } from "../ffi/function_table.ts";

const FUNCTIONS = {
  InitAttestationLib: ["i32", "buffer"],
  AttestKeyGuardImportKey: ["i32", "buffer", "buffer", "buffer", "address", "buffer", "buffer"],
  FreeAttestationToken: ["void", "address"],
  UninitAttestationLib: ["void"],
} as const;

const LOG = signature("void", "address", "address", "i32", "address", "i32", "address");

/** The functions of the library. */
export type AttestationFunctions = FunctionTable<typeof FUNCTIONS>;

/** Memory and callbacks as the library sees them. */
export type AttestationMemory = Pick<
  Ffi,
  "addressOf" | "callback" | "platform" | "read" | "readText"
>;

/** A library that was loaded. */
export interface LoadedAttestation {
  readonly functions: AttestationFunctions;
  readonly memory: AttestationMemory;
}

/** Longest token that is read, bytes. */
const MAX_TOKEN = 65_536;

/** Longest part of a line of the log that is read, bytes. */
const MAX_TEXT = 8_192;

/** The library at this path; throws `key_provider_unavailable`. */
export function openAttestation(ffi: Ffi, path: string): LoadedAttestation {
  return { functions: bind(ffi.open(path), FUNCTIONS), memory: ffi };
}

/** What a call gave: a return code, and the token where that is 0. */
export interface AttestationOutcome {
  readonly code: number;
  readonly token: string;
}

/** The library, started. */
export class AttestationLibrary {
  readonly #functions: AttestationFunctions;
  readonly #memory: AttestationMemory;
  readonly #log: NativeCallback;
  /** The return code of the start; 0 where it succeeded. */
  readonly startCode: number;

  /** Starts the library. What `onLine` throws is ignored. */
  constructor(
    { functions, memory }: LoadedAttestation,
    onLine: (line: AttestationLogLine) => void,
  ) {
    this.#functions = functions;
    this.#memory = memory;
    const text = (address: bigint) => address === 0n ? "" : memory.readText(address, MAX_TEXT);
    this.#log = memory.callback(LOG, (_context, tag, level, name, number, message) => {
      try {
        const line = attestationLogLine(level, text(tag), text(name), number, text(message));
        if (line !== undefined) onLine(line);
      } catch {
        // A listener's trouble is not the library's.
      }
    });
    const struct = layout({ log: "address", context: "address" }, memory.platform);
    this.startCode = functions.InitAttestationLib(struct.encode({ log: this.#log.address }));
    if (this.startCode !== 0) this.#log.close();
  }

  /** Asks the service at `endpoint` for a token over the key behind this handle. */
  async attest(endpoint: string, key: bigint, clientId: string): Promise<AttestationOutcome> {
    const { AttestKeyGuardImportKey, FreeAttestationToken } = this.#functions;
    const out = new Uint8Array(8);
    const [url, client] = [utf8(`${endpoint}\0`), utf8(`${clientId}\0`)];
    const code = await AttestKeyGuardImportKey.threaded(url, null, null, key, out, client);
    const address = new DataView(out.buffer).getBigUint64(0, true);
    if (address === 0n) return { code, token: "" };
    try {
      return { code, token: code === 0 ? this.#memory.readText(address, MAX_TOKEN) : "" };
    } finally {
      FreeAttestationToken(address);
    }
  }

  /** Ends the library. No call may be under way. */
  close(): void {
    if (this.startCode !== 0) return;
    this.#functions.UninitAttestationLib();
    this.#log.close();
  }
}
