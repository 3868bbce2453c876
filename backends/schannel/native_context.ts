/**
 * A security context of SChannel: the calls, and nothing decided.
 *
 * @module
 */

import { BUFFER, type BufferList, bufferList, extraOf } from "./buffers.ts";
import { wide } from "../ffi/wide_text.ts";
import {
  type Initialization,
  initializationStep,
  prepareInitialization,
} from "./initialization.ts";
import type { Schannel } from "./schannel.ts";
import type {
  ContextStep,
  OpenedRecord,
  SealedRecord,
  SecurityContext,
} from "./security_context.ts";
import { verifyServer } from "./server_trust.ts";
import { connectionFailure, isFailure, STATUS, tlsError } from "./statuses.ts";

/** Attributes of a context (`SECPKG_ATTR_...`). */
const STREAM_SIZES = 4;
const REMOTE_CERT_CONTEXT = 0x53;
const LOCAL_CERT_CONTEXT = 0x54;

/** `SCHANNEL_SHUTDOWN`. */
const SHUTDOWN = Uint8Array.of(1, 0, 0, 0);

const NOTHING = new Uint8Array(0);

/** What a context is made with. */
export interface ContextSettings {
  /** Host name or IP address that the server's certificate must be for. */
  readonly host: string;
  /** The `CredHandle`. */
  readonly credential: Uint8Array;
  /** The `HCERTCHAINENGINE` that servers are verified by; 0 for the user's own. */
  readonly chainEngine: bigint;
  /** Called once, when the context is freed. */
  onFree(): void;
}

/** One context. */
export class NativeContext implements SecurityContext {
  readonly #schannel: Schannel;
  readonly #settings: ContextSettings;
  readonly #target: Uint8Array;
  readonly #handle: Uint8Array;
  #created = false;
  #inside = false;
  #doomed = false;
  #freed = false;
  #sizes = { header: 0, trailer: 0 };

  /** Nothing is made before the first step. */
  constructor(schannel: Schannel, settings: ContextSettings) {
    this.#schannel = schannel;
    this.#settings = settings;
    this.#target = wide(settings.host);
    this.#handle = schannel.structs.secHandle.encode({});
    schannel.contexts.add(this);
  }

  advance(input: Uint8Array | undefined): Promise<ContextStep> {
    return this.#elsewhere(async () => {
      const call = this.#prepared(input);
      const { InitializeSecurityContextW } = this.#schannel.security;
      return this.#stepOf(await InitializeSecurityContextW.threaded(...call.args), call);
    });
  }

  settle(input: Uint8Array): ContextStep {
    return this.#initialize(input);
  }

  #initialize(input: Uint8Array | undefined): ContextStep {
    const call = this.#prepared(input);
    const status = this.#schannel.security.InitializeSecurityContextW(...call.args);
    return this.#stepOf(status, call);
  }

  #prepared(input: Uint8Array | undefined): Initialization {
    this.#assertHeld();
    const { credential } = this.#settings;
    return prepareInitialization(this.#schannel, {
      credential,
      context: this.#handle,
      isFirst: !this.#created,
      target: this.#target,
      input,
    });
  }

  #stepOf(status: number, call: Initialization): ContextStep {
    if (!this.#created && !isFailure(status)) {
      this.#created = true;
      this.#schannel.count("context", 1);
    }
    return initializationStep(this.#schannel, status, call);
  }

  maximumMessage(): number {
    const { streamSizes } = this.#schannel.structs;
    const sizes = streamSizes.encode({});
    this.#query(STREAM_SIZES, sizes);
    const { cbHeader, cbTrailer, cbMaximumMessage } = streamSizes.decode(sizes);
    if (cbMaximumMessage === 0) throw tlsError("EPROTO", "SChannel takes no data.");
    this.#sizes = { header: cbHeader, trailer: cbTrailer };
    return cbMaximumMessage;
  }

  verifyServer(): Promise<void> {
    return this.#elsewhere(async () => {
      const schannel = this.#schannel;
      const pointer = schannel.newPointer();
      this.#query(REMOTE_CERT_CONTEXT, pointer);
      const certificate = schannel.pointerIn(pointer);
      schannel.count("certificate", 1);
      try {
        const { host, chainEngine } = this.#settings;
        await verifyServer(schannel, { certificate, host, chainEngine });
      } finally {
        schannel.certificates.CertFreeCertificateContext(certificate);
        schannel.count("certificate", -1);
      }
    });
  }

  presentedCertificate(): boolean {
    this.#assertHeld();
    const { security, certificates } = this.#schannel;
    const pointer = this.#schannel.newPointer();
    const status = security.QueryContextAttributesW(this.#handle, LOCAL_CERT_CONTEXT, pointer);
    const certificate = this.#schannel.pointerIn(pointer);
    if (isFailure(status) || certificate === 0n) return false;
    certificates.CertFreeCertificateContext(certificate);
    return true;
  }

  open(input: Uint8Array): OpenedRecord {
    this.#assertHeld();
    const entry = this.#entry(input);
    const empty = { type: BUFFER.EMPTY };
    const list = this.#buffers([{ type: BUFFER.DATA, ...entry }, empty, empty, empty]);
    const status = this.#schannel.security.DecryptMessage(
      this.#handle,
      list.description,
      0,
      new Uint8Array(4),
    );
    const buffers = list.read();
    const plain = buffers.find(({ type }) => type === BUFFER.DATA);
    const start = plain === undefined ? 0 : Number(plain.address - entry.address);
    const length = isFailure(status) || plain === undefined ? 0 : plain.length;
    // Decrypted where it was: the addresses are inside `input`.
    const data = length === 0 ? NOTHING : input.subarray(start, start + length);
    return { status: status >>> 0, data, extra: extraOf(buffers) };
  }

  seal(data: Uint8Array): SealedRecord {
    this.#assertHeld();
    const { header, trailer } = this.#sizes;
    const record = new Uint8Array(header + data.length + trailer);
    record.set(data, header);
    const { address } = this.#entry(record);
    const at = (offset: number, length: number) => ({ address: address + BigInt(offset), length });
    const list = this.#buffers([
      { type: BUFFER.STREAM_HEADER, ...at(0, header) },
      { type: BUFFER.DATA, ...at(header, data.length) },
      { type: BUFFER.STREAM_TRAILER, ...at(header + data.length, trailer) },
      { type: BUFFER.EMPTY },
    ]);
    const status = this.#schannel.security.EncryptMessage(this.#handle, 0, list.description, 0);
    // The trailer may be shorter than the room for it.
    const length = list.read().slice(0, 3).reduce((sum, buffer) => sum + buffer.length, 0);
    return { status: status >>> 0, record: record.subarray(0, length) };
  }

  shutdown(): ContextStep {
    this.#assertHeld();
    const token = SHUTDOWN.slice();
    const list = this.#buffers([{ type: BUFFER.TOKEN, ...this.#entry(token) }]);
    const status = this.#schannel.security.ApplyControlToken(this.#handle, list.description);
    // `token` is named here so that it lives until now.
    if (status !== STATUS.OK || token.length === 0) {
      throw connectionFailure("SChannel doesn't end the connection", status);
    }
    return this.#initialize(undefined);
  }

  free(): void {
    this.#doomed = true;
    if (this.#freed || this.#inside) return;
    this.#freed = true;
    this.#schannel.contexts.delete(this);
    if (this.#created) {
      this.#schannel.security.DeleteSecurityContext(this.#handle);
      this.#schannel.count("context", -1);
    }
    this.#settings.onFree();
  }

  /** Work on another thread; the context isn't freed under it. */
  #elsewhere<T>(work: () => Promise<T>): Promise<T> {
    return this.#schannel.during(async () => {
      this.#inside = true;
      try {
        return await work();
      } finally {
        this.#inside = false;
        if (this.#doomed) this.free();
      }
    });
  }

  /** The transport may have been closed under its connections: SChannel isn't asked any more then. */
  #assertHeld(): void {
    if (this.#doomed) throw tlsError("ERR_SOCKET_CLOSED", "The connection was ended.");
  }

  #query(attribute: number, result: Uint8Array): void {
    this.#assertHeld();
    const { security } = this.#schannel;
    const status = security.QueryContextAttributesW(this.#handle, attribute, result);
    if (status !== STATUS.OK) {
      throw connectionFailure("SChannel doesn't tell what was negotiated", status);
    }
  }

  #buffers(entries: Parameters<typeof bufferList>[2]): BufferList {
    const { ffi, structs } = this.#schannel;
    return bufferList(structs, (bytes) => ffi.addressOf(bytes), entries);
  }

  #entry(bytes: Uint8Array): { readonly address: bigint; readonly length: number } {
    return { address: this.#schannel.ffi.addressOf(bytes), length: bytes.length };
  }
}
