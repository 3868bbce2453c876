/**
 * The loops of handshake and data, driven by scripted statuses: those of Windows that Wine never
 * gives included.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SchannelEngine } from "../../backends/schannel/engine.ts";
import type {
  ContextStep,
  OpenedRecord,
  SecurityContext,
} from "../../backends/schannel/security_context.ts";
import { STATUS } from "../../backends/schannel/statuses.ts";
import { concat, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { alertNumber, failureSignals } from "../../src/policy/failure.ts";
import { alertRecord, serverHello, TLS_1_2, TLS_1_3 } from "./support/records.ts";

const BOTH = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
const UNTRUSTED = new Error("untrusted");

/** What a call came to, in figures: status, text of the token or data, bytes left over. */
type Answer = readonly [status: number, text?: string, extra?: number];

/** A context that answers as told, and remembers what it was given. */
class ScriptedContext implements SecurityContext {
  readonly inputs: (string | undefined)[] = [];
  readonly steps: Answer[];
  readonly records: Answer[];
  trusted = true;
  presented = true;
  freed = 0;
  verified = 0;

  constructor(steps: readonly Answer[], records: readonly Answer[] = []) {
    this.steps = [...steps];
    this.records = [...records];
  }

  // deno-lint-ignore require-await
  async advance(input: Uint8Array | undefined): Promise<ContextStep> {
    return this.#step(input);
  }

  settle(input: Uint8Array): ContextStep {
    return this.#step(input);
  }

  #step(input: Uint8Array | undefined): ContextStep {
    this.inputs.push(input === undefined ? undefined : text(input));
    const [status, token = "", extra = 0] = this.steps.shift()!;
    // SChannel decrypts where it reads.
    input?.fill(0);
    return { status, token: utf8(token), extra };
  }

  maximumMessage(): number {
    return 4;
  }

  // deno-lint-ignore require-await
  async verifyServer(): Promise<void> {
    this.verified++;
    if (!this.trusted) throw UNTRUSTED;
  }

  presentedCertificate(): boolean {
    return this.presented;
  }

  open(input: Uint8Array): OpenedRecord {
    this.inputs.push(text(input));
    const [status, data = "", extra = 0] = this.records.shift()!;
    return { status, data: utf8(data), extra };
  }

  seal(data: Uint8Array) {
    const [status = STATUS.OK] = this.records.shift() ?? [];
    return { status, record: utf8(`<${text(data)}>`) };
  }

  shutdown(): ContextStep {
    return { status: STATUS.OK, token: utf8("close"), extra: 0 };
  }

  free(): void {
    this.freed++;
  }
}

/** One character a byte. */
function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

const HELLO_1_2 = serverHello(TLS_1_2);
const HELLO_1_3 = serverHello(TLS_1_3);

/** An engine whose handshake is done, and what its context answers then. */
async function established(
  hello: Uint8Array,
  records: readonly Answer[],
  steps: readonly Answer[] = [],
): Promise<{ engine: SchannelEngine; context: ScriptedContext }> {
  const context = new ScriptedContext([
    [STATUS.CONTINUE_NEEDED, "hello"],
    [STATUS.OK],
    ...steps,
  ], records);
  const engine = new SchannelEngine(context, BOTH);
  await engine.handshake(new Uint8Array(0));
  assert.equal((await engine.handshake(hello)).done, true);
  context.inputs.length = 0;
  return { engine, context };
}

async function started(
  steps: readonly Answer[],
): Promise<{ engine: SchannelEngine; context: ScriptedContext }> {
  const context = new ScriptedContext([[STATUS.CONTINUE_NEEDED, "hello"], ...steps]);
  const engine = new SchannelEngine(context, BOTH);
  const first = await engine.handshake(new Uint8Array(0));
  assert.deepEqual([text(first.send), first.done], ["hello", false]);
  assert.deepEqual(context.inputs.splice(0), [undefined]);
  return { engine, context };
}

function codeOf(failure: unknown): unknown {
  return (failure as { code?: unknown })?.code;
}

describe("a handshake", () => {
  it("fails with the status, and sends the alert that came with it", async () => {
    const { engine } = await started([[0x80090326, "alert"]]);
    const { send, done, failure } = await engine.handshake(HELLO_1_2);
    assert.deepEqual([text(send), done], ["alert", false]);
    assert.match(String(failure), /SEC_E_ILLEGAL_MESSAGE/);
  });

  it("fails with the alert that the server sent in the clear", async () => {
    const { engine } = await started([[0x80090304]]);
    const { failure } = await engine.handshake(alertRecord(42));
    assert.equal(alertNumber(failureSignals(failure)), 42);
  });

  it("isn't done, and sends nothing, when the server isn't who it should be", async () => {
    const { engine, context } = await started([[STATUS.OK, "finished"]]);
    context.trusted = false;
    const { send, done, failure } = await engine.handshake(HELLO_1_3);
    assert.equal(failure, UNTRUSTED);
    assert.deepEqual([text(send), done], ["", false]);
    assert.throws(() => engine.encrypt(utf8("secret")), /isn't done/);
    assert.throws(() => engine.decrypt(utf8("x")), /isn't done/);
  });

  it("fails at once where the server doesn't speak TLS", async () => {
    const { engine, context } = await started([]);
    await assert.rejects(engine.handshake(utf8("HTTP/1.1 400")), { code: "EPROTO" });
    assert.deepEqual(context.inputs, []);
  });

  it("fails in a version that wasn't asked for, or that can't be told", async () => {
    for (const hello of [HELLO_1_2, serverHello([3, 2]), alertRecord(0)]) {
      const context = new ScriptedContext([[STATUS.CONTINUE_NEEDED, "hello"], [STATUS.OK]]);
      const engine = new SchannelEngine(context, { ...BOTH, minVersion: "TLSv1.3" });
      await engine.handshake(new Uint8Array(0));
      const { done, failure } = await engine.handshake(hello);
      assert.deepEqual([done, codeOf(failure)], [false, "EPROTO"]);
      assert.equal(context.verified, 0);
    }
  });

  it("waits for the rest of a message, and hands all of it over again", async () => {
    const { engine, context } = await started([
      [STATUS.INCOMPLETE_MESSAGE],
      [STATUS.OK, "finished"],
    ]);
    const [first, rest] = [HELLO_1_3.subarray(0, 10), HELLO_1_3.subarray(10)];
    const waiting = await engine.handshake(first);
    assert.deepEqual([waiting.send.length, waiting.done], [0, false]);
    const { send, done } = await engine.handshake(rest);
    assert.deepEqual([text(send), done], ["finished", true]);
    assert.deepEqual(context.inputs, [text(first), text(HELLO_1_3)]);
  });

  it("goes on with what a step left over, in one flight", async () => {
    const { engine, context } = await started([
      [STATUS.CONTINUE_NEEDED, "one", 3],
      [STATUS.CONTINUE_NEEDED, "two"],
      [STATUS.OK],
    ]);
    const { send, done } = await engine.handshake(concat(HELLO_1_2, utf8("abc")));
    assert.deepEqual([text(send), done], ["onetwo", false]);
    assert.deepEqual(context.inputs, [text(HELLO_1_2) + "abc", "abc"]);
    assert.equal((await engine.handshake(utf8("finished"))).done, true);
  });

  it("fails where SChannel takes nothing and says to go on", async () => {
    const { engine } = await started([[STATUS.CONTINUE_NEEDED, "", HELLO_1_2.length]]);
    const { failure } = await engine.handshake(HELLO_1_2);
    assert.equal(codeOf(failure), "EPROTO");
  });

  it("fails where SChannel leaves over more than it was given", async () => {
    const { engine } = await started([[STATUS.OK, "", HELLO_1_2.length + 1]]);
    const { failure } = await engine.handshake(HELLO_1_2);
    assert.equal(codeOf(failure), "EPROTO");
  });

  it("doesn't keep more than a record while it waits", async () => {
    const { engine } = await started([[STATUS.INCOMPLETE_MESSAGE]]);
    await engine.handshake(HELLO_1_2);
    await assert.rejects(engine.handshake(new Uint8Array(140_000)), { code: "EPROTO" });
  });

  it("insists once on a certificate that the server's names don't bear out", async () => {
    const { engine, context } = await started([
      [STATUS.INCOMPLETE_CREDENTIALS, "", 0],
      [STATUS.CONTINUE_NEEDED, "certificate"],
    ]);
    const { send } = await engine.handshake(HELLO_1_2);
    assert.equal(text(send), "certificate");
    assert.deepEqual(context.inputs, [text(HELLO_1_2), text(HELLO_1_2)]);
  });

  it("fails rather than goes on without a certificate that was asked for", async () => {
    const twice = await started([[STATUS.INCOMPLETE_CREDENTIALS], [STATUS.INCOMPLETE_CREDENTIALS]]);
    const refused = await twice.engine.handshake(HELLO_1_2);
    assert.ok(isKeyboundError(refused.failure, "tls_credential_rejected"));

    const silent = await started([[STATUS.INCOMPLETE_CREDENTIALS], [STATUS.OK, "nothing"]]);
    silent.context.presented = false;
    const { send, done, failure } = await silent.engine.handshake(HELLO_1_2);
    assert.ok(isKeyboundError(failure, "tls_credential_rejected"));
    assert.deepEqual([text(send), done, silent.context.verified], ["", false, 0]);
  });

  it("fails with key_unusable when the key is gone in the middle of it", async () => {
    const { engine } = await started([[0x8009030e]]);
    const { failure } = await engine.handshake(HELLO_1_2);
    assert.ok(isKeyboundError(failure, "key_unusable"));
  });

  it("leaves data that came with its end for the connection", async () => {
    const context = new ScriptedContext([
      [STATUS.CONTINUE_NEEDED, "hello"],
      [STATUS.OK, "finished", 3],
    ], [[STATUS.OK, "data"]]);
    const engine = new SchannelEngine(context, BOTH);
    await engine.handshake(new Uint8Array(0));
    await engine.handshake(concat(HELLO_1_3, utf8("abc")));
    const { data } = engine.decrypt(new Uint8Array(0));
    assert.deepEqual([data.map(text), context.inputs.at(-1)], [["data"], "abc"]);
  });

  it("fails when it was freed meanwhile, and frees the context once", async () => {
    const { engine, context } = await started([[STATUS.OK]]);
    const pending = engine.handshake(HELLO_1_3);
    engine.free();
    engine.free();
    const { done, failure } = await pending;
    assert.deepEqual([done, codeOf(failure), context.freed], [false, "ERR_SOCKET_CLOSED", 1]);
    await assert.rejects(engine.handshake(HELLO_1_3), { code: "ERR_SOCKET_CLOSED" });
  });
});

describe("a connection", () => {
  it("fails with what a record failed with, the data before it kept", async () => {
    const { engine } = await established(HELLO_1_3, [[STATUS.OK, "one", 2], [0x80090330]]);
    const { data, ended, failure } = engine.decrypt(utf8("1122"));
    assert.deepEqual([data.map(text), ended, codeOf(failure)], [["one"], false, "EPROTO"]);
  });

  it("fails with the alert by which the server refuses the certificate after the handshake", async () => {
    const { engine } = await established(HELLO_1_3, [[0x80090327]]);
    const { failure } = engine.decrypt(utf8("11"));
    assert.equal(alertNumber(failureSignals(failure)), 46);
  });

  it("fails as if reset by an alert without a status, while nothing has come under TLS 1.3", async () => {
    const first = await established(HELLO_1_3, [[0x80090304]]);
    assert.equal(codeOf(first.engine.decrypt(utf8("11")).failure), "ECONNRESET");
    const later = await established(HELLO_1_3, [[STATUS.OK, "one", 2], [0x80090304]]);
    assert.equal(codeOf(later.engine.decrypt(utf8("1122")).failure), "EPROTO");
    const older = await established(HELLO_1_2, [[0x80090304]]);
    assert.equal(codeOf(older.engine.decrypt(utf8("11")).failure), "EPROTO");
  });

  it("gives the plaintext of several records and keeps the rest", async () => {
    const { engine, context } = await established(HELLO_1_2, [
      [STATUS.OK, "one", 4],
      [STATUS.OK, "", 2],
      [STATUS.INCOMPLETE_MESSAGE],
      [STATUS.OK, "two"],
    ]);
    assert.deepEqual(engine.decrypt(utf8("112233")).data.map(text), ["one"]);
    assert.deepEqual(engine.decrypt(utf8("33")).data.map(text), ["two"]);
    assert.deepEqual(context.inputs, ["112233", "2233", "33", "3333"]);
  });

  it("ends by close_notify and no sooner; what follows it isn't looked at", async () => {
    const { engine } = await established(HELLO_1_2, [
      [STATUS.OK, "last", 4],
      [STATUS.CONTEXT_EXPIRED, "", 2],
    ]);
    const { data, ended, failure } = engine.decrypt(utf8("112233"));
    assert.deepEqual([data.map(text), ended, failure], [["last"], true, undefined]);
  });

  it("hands tickets and new keys of TLS 1.3 to the handshake, answers, and goes on", async () => {
    const { engine, context } = await established(
      HELLO_1_3,
      [[STATUS.RENEGOTIATE, "", 4], [STATUS.OK, "data"]],
      [[STATUS.OK, "new key", 2]],
    );
    const { data, send, failure } = engine.decrypt(utf8("112233"));
    assert.deepEqual([data.map(text), text(send), failure], [["data"], "new key", undefined]);
    assert.deepEqual(context.inputs, ["112233", "2233", "33"]);
  });

  it("waits for the rest of such a message", async () => {
    const { engine, context } = await established(
      HELLO_1_3,
      [[STATUS.RENEGOTIATE, "", 2], [STATUS.OK, "data"]],
      [[STATUS.INCOMPLETE_MESSAGE], [STATUS.CONTINUE_NEEDED], [STATUS.OK, "", 2]],
    );
    assert.deepEqual(engine.decrypt(utf8("1122")).data, []);
    assert.deepEqual(engine.decrypt(utf8("22")).data, []);
    assert.deepEqual(engine.decrypt(utf8("2233")).data.map(text), ["data"]);
    assert.deepEqual(context.inputs, ["1122", "22", "2222", "2233", "33"]);
  });

  it("fails where such a message leads nowhere", async () => {
    const stuck = await established(HELLO_1_3, [[STATUS.RENEGOTIATE, "", 2]], [[STATUS.OK, "", 2]]);
    assert.equal(codeOf(stuck.engine.decrypt(utf8("11")).failure), "EPROTO");
    const refused = await established(HELLO_1_3, [[STATUS.RENEGOTIATE, "", 2]], [[0x80090326]]);
    assert.match(String(refused.engine.decrypt(utf8("11")).failure), /SEC_E_ILLEGAL_MESSAGE/);
  });

  it("refuses to renegotiate under TLS 1.2", async () => {
    const { engine, context } = await established(HELLO_1_2, [[STATUS.RENEGOTIATE, "", 2]]);
    assert.match(String(engine.decrypt(utf8("1122")).failure), /renegotiation/);
    assert.deepEqual(context.inputs, ["1122"]);
  });

  it("encrypts in records of the size that SChannel takes", async () => {
    const { engine } = await established(HELLO_1_2, []);
    assert.equal(text(engine.encrypt(utf8("0123456789"))), "<0123><4567><89>");
    assert.equal(engine.encrypt(new Uint8Array(0)).length, 0);
  });

  it("throws where SChannel doesn't encrypt", async () => {
    const { engine } = await established(HELLO_1_2, [[0x80090317]]);
    assert.throws(() => engine.encrypt(utf8("x")), { code: "EPROTO" });
  });

  it("says goodbye, and nothing after it was freed", async () => {
    const { engine, context } = await established(HELLO_1_2, []);
    assert.equal(text(engine.end()), "close");
    engine.free();
    assert.equal(context.freed, 1);
    for (const use of [() => engine.end(), () => engine.encrypt(utf8("x"))]) {
      assert.throws(use, { code: "ERR_SOCKET_CLOSED" });
    }
  });
});
