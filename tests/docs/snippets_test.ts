/**
 * The code in README.md and docs/: that it imports what there is and that its types are right.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { filesBelow, read, readJson } from "../package/support/project.ts";

/** What the snippets take for granted, because the reader has it or an earlier snippet made it. */
const PREAMBLE = `
type Entra = typeof import("keybound/entra");
type Resource = import("keybound/resource").VerifyBoundTokenOptions;

// The reader's own.
declare const ca: string;
declare const url: string;
declare const issue: (spki: Uint8Array) => Promise<string>;
declare const clientId: string;
declare const authority: string;
declare const scope: string;
declare const resource: string;
declare const text: string;
declare const certificates: string;
declare const certificate: Uint8Array<ArrayBuffer>;
declare const fetcher: import("keybound/fetcher").PlatformFetcher;
declare const cert: string;
declare const key: string;
declare const caCerts: string[];
declare const privateKey: string;
declare const password: string;
declare const assertion: string;
declare const token: string;
declare const uri: string;
declare const jwks: URL;
declare const issuer: string;
declare const audience: string;
declare const request: import("node:http").IncomingMessage;
declare const credential: import("keybound").ClientCredential;
declare const keys: { open(id: string): Promise<import("keybound").SigningKey> };
declare function readPinSomehow(): Promise<string>;
declare function currentCertificate(
  how: { anew: boolean },
): Promise<import("keybound").ClientCredential>;
declare function loadCredential(): Promise<import("keybound").ClientCredential>;

// What snippets before made or imported.
declare const host: import("keybound/detect").DetectedHost;
declare const first: Parameters<Entra["confidentialClient"]>[0];
declare const second: Parameters<Entra["federate"]>[1];
declare const identity: import("keybound").ManagedIdentity;
declare const client: import("keybound/entra").ConfidentialClient;
declare const options: Parameters<Entra["confidentialClient"]>[0] &
  Resource & { certificate: import("keybound/resource").CertificateHeader };
declare const transports: readonly import("keybound").MtlsTransport[];
declare const readFile: typeof import("node:fs/promises").readFile;
declare const detect: typeof import("keybound/detect").detect;
declare const azureCli: typeof import("keybound/azure-cli").azureCli;
declare const managedIdentity: typeof import("keybound").managedIdentity;
declare const federate: Entra["federate"];
declare const confidentialClient: Entra["confidentialClient"];
declare const pemCredential: Entra["pemCredential"];
declare const certificateCredential: Entra["certificateCredential"];
declare const rfc8705Client: typeof import("keybound/rfc8705").rfc8705Client;
declare const pkcs11Key: typeof import("keybound/pkcs11").pkcs11Key;
declare const pkcs11Store: typeof import("keybound/pkcs11").pkcs11Store;
declare const fileStore: typeof import("keybound/files").fileStore;

// Express, Hono, Deno.
declare const app: { use(middleware: (...context: any[]) => Promise<unknown>): void };
declare const Deno: {
  createHttpClient(options: object): object;
  serve(options: object, handler: (request: Request) => Promise<Response>): void;
};
`;

interface Snippet {
  readonly file: string;
  /** Of its first line, in the file. */
  readonly line: number;
  readonly code: string;
}

const documents = ["README.md", ...filesBelow("docs").filter((path) => path.endsWith(".md"))];
const snippets = documents.flatMap(snippetsOf);

/** The fences, and the federations that stand in tables. */
function snippetsOf(file: string): Snippet[] {
  const text = read(file);
  const lineOf = (index: number) => text.slice(0, index).split("\n").length;
  const fences = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code }) => ({
    file,
    line: lineOf(index) + 1,
    code: code!,
  }));
  const calls = [...text.matchAll(/`(federate\(.*?\))`/g)].map(({ index, 1: code }) => ({
    file,
    line: lineOf(index),
    code: `${code};\n`,
  }));
  return [...fences, ...calls];
}

function importsOf(code: string): string[] {
  return [...code.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g)]
    .map(([, from, dynamic]) => (from ?? dynamic)!);
}

describe("the code in README.md and docs/", () => {
  it("imports only what the package exports, what its tests use, or what every runtime has", () => {
    const { exports, devDependencies } = readJson<Record<string, object>>("package.json");
    const isThere = (specifier: string) =>
      specifier.startsWith("node:") || Object.hasOwn(devDependencies!, specifier) ||
      Object.hasOwn(exports!, specifier.replace(/^keybound(?=\/|$)/, "."));
    assert.equal(isThere("keybound/nothing"), false);
    assert.equal(isThere("elsewhere"), false);
    const wrong = snippets.flatMap(({ file, line, code }) =>
      importsOf(code).filter((specifier) => !isThere(specifier))
        .map((specifier) => `${file}:${line}: ${specifier}`)
    );
    assert.deepEqual(wrong, []);
    const federations = snippets.filter(({ file, code }) =>
      file === "README.md" && code.startsWith("federate(")
    );
    assert.equal(federations.length, 4, "each of the valid combinations");
    const documented = new Set(snippets.map(({ file }) => file));
    for (const guide of ["README.md", "docs/confidential-clients.md", "docs/rfc8705.md"]) {
      assert.ok(documented.has(guide), `${guide} has no code`);
    }
  });

  // The compiler needs nothing of the runtime, so one is enough.
  if (process.versions["bun"] === undefined && !("Deno" in globalThis)) {
    it("is what the sources' types say", async (t) => {
      const directory = mkdtempSync(join(tmpdir(), "keybound-snippets-"));
      t.after(() => rmSync(directory, { recursive: true }));
      const wrong = { file: "wrong", line: 1, code: 'import { nothing } from "keybound/entra";\n' };
      const found = await typeErrors(directory, [...snippets, wrong]);
      assert.deepEqual(found.filter((error) => !error.startsWith("wrong:")), []);
      assert.match(found.join("\n"), /^wrong:1: .*'nothing'/m);
    });
  }
});

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Errors as `file:line: message`, lines counted in the document. */
async function typeErrors(directory: string, all: readonly Snippet[]): Promise<string[]> {
  const { exports } = readJson<{ exports: Record<string, string> }>("deno.json");
  const paths = Object.entries(exports).map(([name, path]) => [
    name.replace(/^\./, "keybound"),
    [join(ROOT, path)],
  ]);
  const files = all.map(({ code }, index) => {
    const name = `snippet_${index}.ts`;
    writeFileSync(join(directory, name), `${code}export {};\n`);
    return name;
  });
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  writeFileSync(join(directory, "preamble.d.ts"), PREAMBLE);
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: {
        paths: Object.fromEntries(paths),
        typeRoots: [join(ROOT, "node_modules/@types")],
        // Snippets are short: they leave types away and export nothing.
        noImplicitAny: false,
        isolatedDeclarations: false,
        declaration: false,
      },
      include: [],
      files: ["preamble.d.ts", ...files],
    }),
  );
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const output = await new Promise<string>((resolve) => {
    const arguments_ = [compiler, "-p", directory, "--pretty", "false"];
    execFile(process.execPath, arguments_, { cwd: directory }, (_error, stdout) => resolve(stdout));
  });
  return [...output.matchAll(/^(?:.*\/)?(snippet_|preamble)(\d*)\.\w+.*?\((\d+),\d+\): (.*)$/gm)]
    .map(([, kind, index, line, message]) => {
      if (kind === "preamble") return `PREAMBLE:${line}: ${message}`;
      const { file, line: first } = all[Number(index)]!;
      return `${file}:${first + Number(line) - 1}: ${message}`;
    });
}
