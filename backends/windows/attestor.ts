/**
 * Attestation of KeyGuard keys by Microsoft's native library.
 *
 * @module
 */

import { win32 } from "node:path";
import process from "node:process";
import type { AttestationRequest, Attestor } from "../../src/attestation.ts";
import { cachingAttestor } from "../../src/caching_attestor.ts";
import type { Clock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import { isNativeHandle } from "../../src/keys.ts";
import { parseUrl } from "../../src/parse.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { loadFfi } from "../ffi/mod.ts";
import { describeAttestationCode, isAttestationRetryable } from "./attestation_codes.ts";
import {
  AttestationLibrary,
  type LoadedAttestation,
  openAttestation,
} from "./attestation_library.ts";
import type { AttestationLogLine } from "./attestation_log.ts";

/** Options of {@linkcode windowsAttestor}. */
export interface WindowsAttestorOptions {
  /**
   * Absolute path of `AttestationClientLib.dll`, with a drive (`C:\app\...`) or a server
   * (`\\server\share\...`). It is loaded from there and from nowhere else. The libraries that it
   * needs itself, Windows looks for by their names: beside the program's executable, in its own
   * directories, then in the working directory and `PATH`. Let nobody else write to the last two, or
   * put those libraries beside the executable.
   * @default that name beside the program's executable, `process.execPath`: node.exe, deno.exe,
   * bun.exe, or the program itself where it was compiled
   */
  library?: string;
  /** Receives what the library logs, without secrets. */
  onLog?: (line: AttestationLogLine) => void;
  /** Time. @default the runtime's */
  clock?: Clock;
  /**
   * The library, or what stands in for it in a test. @default loads `library`
   *
   * @internal
   */
  load?: () => Promise<LoadedAttestation>;
}

/** An attestor whose library is to be ended. */
export interface WindowsAttestor extends Attestor {
  /** Ends the library, waiting for what is under way. It starts again with the next request. */
  close(): Promise<void>;
}

const LIBRARY = "AttestationClientLib.dll";

/** What no search begins with; a path such as `\app` would still be relative to the current drive. */
const ABSOLUTE = /^([A-Za-z]:[\\/]|\\\\[^\\/]+\\)/;

/** A compact JWS: three parts of base64url. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * An attestor over `AttestationClientLib.dll` of the NuGet package
 * `Microsoft.Azure.Security.KeyGuardAttestation`, which you place beside the executable or name by
 * its path. Tokens are used again while they have more than 5 minutes left (protocol.md section 5.4).
 *
 * Throws `invalid_argument` for a `library` that isn't an absolute path of Windows.
 *
 * Fails closed: rejects with `mtls_pop_requires_keyguard` for a key that isn't an RSA key of
 * KeyGuard, `attestation_failed` whenever the library gives no token, `key_provider_unavailable`
 * where it can't be loaded, `missing_dependency` without koffi.
 *
 * @example
 * ```ts
 * const attestor = windowsAttestor({ library: "C:\\app\\AttestationClientLib.dll" });
 * ```
 */
export function windowsAttestor(options: WindowsAttestorOptions = {}): WindowsAttestor {
  const native = new NativeAttestor(options);
  const { clock } = options;
  const cached = cachingAttestor(native, clock === undefined ? {} : { clock });
  return {
    name: native.name,
    attest: (request) => cached.attest(request),
    close: () => native.close(),
  };
}

/**
 * Where the library is loaded from. By a bare name, Windows would take it from the working directory
 * or `PATH` too. Throws `invalid_argument` for a path that isn't absolute.
 *
 * @internal
 */
export function libraryPath(library: string | undefined, executable: string): string {
  if (library === undefined) return win32.join(win32.dirname(executable), LIBRARY);
  if (ABSOLUTE.test(library)) return library;
  throw new KeyboundError(
    "invalid_argument",
    `'library' must be the absolute path of ${LIBRARY}, such as C:\\app\\${LIBRARY}.`,
  );
}

class NativeAttestor implements WindowsAttestor {
  readonly name = "windows";
  readonly #load: () => Promise<LoadedAttestation>;
  readonly #onLog: (line: AttestationLogLine) => void;
  readonly #calls = new Set<Promise<unknown>>();
  #library: Promise<AttestationLibrary> | undefined;

  constructor({ library, load, onLog = () => {} }: WindowsAttestorOptions) {
    const path = libraryPath(library, process.execPath);
    this.#load = load ?? (() => loadAttestation(path));
    this.#onLog = onLog;
  }

  async attest({ endpoint, key, clientId }: AttestationRequest): Promise<string> {
    const isRsa = publicKeyAlgorithm(key.spki).type === "rsa";
    if (key.strength !== "keyguard" || !isRsa || !isNativeHandle(key)) {
      throw new KeyboundError(
        "mtls_pop_requires_keyguard",
        `Key '${key.id}' is not an RSA key of KeyGuard, and nothing else can be attested here.`,
      );
    }
    const url = parseUrl(endpoint);
    if (url?.protocol !== "https:" || !/^[\w.-]{1,128}$/.test(clientId)) {
      throw failed("it was asked with an endpoint or client id that can't be right");
    }
    const call = key.withHandle(async (handle) => {
      const library = await this.#started();
      return await library.attest(url.href, handle, clientId);
    });
    this.#calls.add(call);
    const { code, token } = await call.finally(() => this.#calls.delete(call));
    if (code !== 0) throw failed(describeAttestationCode(code), isAttestationRetryable(code));
    if (!JWT.test(token.trim())) throw failed("it gave no token, though it said so");
    return token.trim();
  }

  async close(): Promise<void> {
    // More may begin while it waits.
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
    const library = this.#library;
    this.#library = undefined;
    await library?.then((started) => started.close(), () => {});
  }

  #started(): Promise<AttestationLibrary> {
    this.#library ??= this.#start().catch((error) => {
      this.#library = undefined;
      throw error;
    });
    return this.#library;
  }

  async #start(): Promise<AttestationLibrary> {
    const library = new AttestationLibrary(await this.#load(), this.#onLog);
    if (library.startCode === 0) return library;
    throw failed(`it didn't start: ${describeAttestationCode(library.startCode)}`);
  }
}

async function loadAttestation(library: string): Promise<LoadedAttestation> {
  if (process.platform !== "win32") {
    throw new KeyboundError(
      "key_provider_unavailable",
      `Keys are attested on Windows only, not on '${process.platform}'.`,
    );
  }
  return openAttestation(await loadFfi(), library);
}

function failed(what: string, retryable: boolean = false): KeyboundError {
  return new KeyboundError(
    "attestation_failed",
    `${LIBRARY} gave no attestation: ${what}. Check the host's VBS, network and the service.`,
    { retryable },
  );
}
