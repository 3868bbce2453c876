/**
 * `AttestationClientLib.dll`, simulated from protocol.md section 5.2.
 *
 * @module
 */

import type {
  AttestationMemory,
  LoadedAttestation,
} from "../../../backends/windows/attestation_library.ts";
import { type Bytes, fromUtf8, utf8 } from "../../../src/encoding.ts";
import { native, SimulatedMemory } from "./memory.ts";

/** What a call was made with. */
export interface AttestationCall {
  readonly endpoint: string;
  readonly handle: bigint;
  readonly clientId: string;
}

type LogFunction = (...values: readonly (bigint | number)[]) => void;

/** The library. */
export class SimulatedAttestation {
  /** Return code of the start. */
  startCode = 0;
  /** Return code of a call. */
  code = 0;
  /** The token; `undefined` for NULL. */
  token: string | undefined = "aGVhZGVy.cGF5bG9hZA.c2ln";
  /** What a call waits for on its thread. */
  beforeCall: () => Promise<void> = () => Promise.resolve();
  /** Lines that it logs in each call: level, tag, function, line number, message. */
  lines: (readonly [number, string | null, string | null, number, string | null])[] = [];
  readonly calls: AttestationCall[] = [];
  /** Starts and ends. */
  readonly life: string[] = [];
  /** Tokens that were given and not taken back. */
  readonly lent: Set<bigint> = new Set();
  readonly #memory = new SimulatedMemory();
  /** What has an address is kept. */
  readonly #kept: Bytes[] = [];
  readonly #callbacks = new Map<bigint, LogFunction>();
  #log: LogFunction | undefined;

  /** Callbacks that weren't given back. */
  get callbacks(): number {
    return this.#callbacks.size;
  }

  /** What loading the library gives. */
  readonly load = (): Promise<LoadedAttestation> => {
    const memory: AttestationMemory = {
      platform: this.#memory.platform,
      addressOf: this.#memory.addressOf,
      read: this.#memory.read,
      readText: (address, limit = 4096) => {
        let text = "";
        for (let at = address; text.length < limit; at++) {
          const [octet] = this.#memory.view(at, 1);
          if (octet === 0) break;
          text += String.fromCharCode(octet!);
        }
        return text;
      },
      callback: (_signature, handler) => {
        const address = 0xca11_0000n + BigInt(this.#callbacks.size);
        this.#callbacks.set(address, handler as unknown as LogFunction);
        return { address, close: () => void this.#callbacks.delete(address) };
      },
    };
    return Promise.resolve({ memory, functions: this.#functions });
  };

  readonly #functions: LoadedAttestation["functions"] = {
    InitAttestationLib: native((struct: Uint8Array) => {
      this.life.push("start");
      const address = new DataView(struct.buffer, struct.byteOffset).getBigUint64(0, true);
      this.#log = this.#callbacks.get(address);
      return this.startCode;
    }),
    AttestKeyGuardImportKey: this.#delayed(native((
      endpoint: Uint8Array,
      authToken: Uint8Array,
      payload: Uint8Array,
      handle: bigint,
      out: Uint8Array,
      clientId: Uint8Array,
    ) => {
      if (authToken !== null || payload !== null) return -8;
      this.calls.push({ endpoint: textOf(endpoint), handle, clientId: textOf(clientId) });
      for (const [level, tag, name, line, message] of this.lines) {
        const at = (text: string | null) => text === null ? 0n : this.#place(text);
        this.#log?.(0n, at(tag), level, at(name), line, at(message));
      }
      if (this.token === undefined) return this.code;
      const address = this.#place(this.token);
      this.lent.add(address);
      new DataView(out.buffer, out.byteOffset).setBigUint64(0, address, true);
      return this.code;
    })),
    FreeAttestationToken: native((address: bigint) => void this.lent.delete(address)),
    UninitAttestationLib: native(() => void this.life.push("end")),
  };

  #delayed(call: LoadedAttestation["functions"]["AttestKeyGuardImportKey"]) {
    const threaded: typeof call.threaded = async (...values) => {
      await this.beforeCall();
      return await call.threaded(...values);
    };
    return Object.assign((...values: Parameters<typeof call>) => call(...values), { threaded });
  }

  #place(text: string): bigint {
    const bytes = utf8(`${text}\0`);
    this.#kept.push(bytes);
    return this.#memory.addressOf(bytes);
  }
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end < 0) throw new Error("A string doesn't end.");
  return fromUtf8(bytes.subarray(0, end));
}
