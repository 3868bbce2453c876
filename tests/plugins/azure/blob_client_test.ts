/**
 * The real client of Azure Storage's blobs with bound tokens: streams both ways, progress, aborts.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { emulatedAzure } from "./support/emulated_azure.ts";

const MIB = 1024 * 1024;
const azure = emulatedAzure();

describe("BlockBlobClient with a bound token", () => {
  it("is told that a blob isn't there", async () => {
    const blob = azure.blob(await azure.identityOf(), "none");
    await assert.rejects(blob.download(), { name: "RestError", statusCode: 404 });
  });

  it("uploads a buffer and downloads it as a stream, with the certificate each time", async () => {
    const identity = await azure.identityOf();
    const blob = azure.blob(identity, "small");
    const sent: number[] = [];
    const content = new Uint8Array(100_000).fill(7);
    await blob.upload(content, content.length, {
      onProgress: ({ loadedBytes }) => void sent.push(loadedBytes),
    });
    const answer = await blob.download();
    assert.deepEqual(new Uint8Array(await collect(answer.readableStreamBody!)), content);
    assert.equal(sent.at(-1), content.length);
    const { binding } = await identity.getToken({ resource: "https://storage.azure.com" });
    const requests = await azure.emulator.requests("resource");
    assert.deepEqual(
      requests.map((r) => [r.authorizationScheme, r.thumbprint, r.status]),
      [201, 200].map((status) => ["mtls_pop", binding.credential.thumbprint, status]),
    );
  });

  it("streams both ways, with its length declared and its progress told", async () => {
    const blob = azure.blob(await azure.identityOf(), "large");
    const [up, down]: [number[], number[]] = [[], []];
    const chunks = Array.from({ length: 32 }, (_, i) => Buffer.alloc(MIB / 8, i));
    await blob.upload(() => Readable.from(chunks), 4 * MIB, {
      onProgress: ({ loadedBytes }) => void up.push(loadedBytes),
    });
    const answer = await blob.download(0, undefined, {
      onProgress: ({ loadedBytes }) => void down.push(loadedBytes),
    });
    const content = await collect(answer.readableStreamBody!);
    assert.ok(content.equals(Buffer.concat(chunks)));
    assert.equal(up.at(-1), 4 * MIB);
    assert.equal(down.at(-1), 4 * MIB);
    assert.ok(up.length > 1 && down.length > 1, "it comes in pieces");
    const [put] = await azure.emulator.requests("resource");
    assert.equal(put!.headers["content-length"], `${4 * MIB}`);
  });

  it("ends an upload and a download when it is told to", async () => {
    const blob = azure.blob(await azure.identityOf(), "aborted");
    const upload = new AbortController();
    const endless = Readable.from(async function* () {
      yield Buffer.alloc(100_000);
      upload.abort();
      await new Promise(() => {});
    }());
    await assert.rejects(
      blob.upload(() => endless, MIB, { abortSignal: upload.signal }),
      { name: "AbortError" },
    );
    await blob.upload(new Uint8Array(8 * MIB), 8 * MIB);
    const download = new AbortController();
    const { readableStreamBody } = await blob.download(0, undefined, {
      abortSignal: download.signal,
    });
    download.abort();
    await assert.rejects(collect(readableStreamBody!), { name: "AbortError" });
  });

  it("sends whichever token the host has where that is wanted", async () => {
    for (const v1Only of [false, true]) {
      await azure.emulator.set({ v1Only });
      const identity = await azure.identityOf({ fetch: azure.fetch });
      await azure.blob(identity, "preferred", { binding: "preferred" }).upload("x", 1);
    }
    const schemes = (await azure.emulator.requests("resource")).map((r) => r.authorizationScheme);
    assert.deepEqual(schemes, ["mtls_pop", "Bearer"]);
  });
});

async function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as unknown as Uint8Array);
  return Buffer.concat(chunks);
}
