/**
 * What snippets take for granted: what the reader has, and what snippets before have made or imported.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ClientCredential, ManagedIdentity, MtlsTransport, SigningKey } from "../../../mod.ts";
import type { DetectedHost } from "../../../backends/detect.ts";
import type {
  ConfidentialClient,
  ConfidentialClientOptions,
  SecondLeg,
} from "../../../src/entra/mod.ts";
import type { CertificateHeader, KeySource } from "../../../resource/mod.ts";

/** A server that takes middleware: Hono's kind, or Express's. */
export interface Application {
  use(
    middleware: (
      context: {
        readonly req: { readonly raw: Request };
        set(name: string, value: unknown): void;
      },
      next: () => Promise<void>,
    ) => Promise<Response | void>,
  ): void;
  use(
    middleware: (
      request: IncomingMessage,
      response: ServerResponse & { readonly locals: Record<string, unknown> },
      next: () => void,
    ) => Promise<void>,
  ): void;
}

/** Names of snippets that are run; each is there when they run. */
export interface Names {
  // The reader's own.
  readonly ca: string;
  readonly url: string;
  readonly clientId: string;
  readonly authority: string;
  readonly scope: string;
  readonly resource: string;
  readonly text: string;
  readonly certificates: string;
  readonly privateKey: string;
  readonly password: string;
  readonly assertion: string;
  readonly token: string;
  readonly jwks: KeySource;
  readonly issuer: string;
  readonly audience: string;
  readonly request: IncomingMessage;
  readonly credential: ClientCredential;
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly fetcher: import("../../../backends/fetcher/mod.ts").PlatformFetcher;
  readonly keys: { open(id: string): Promise<SigningKey> };
  readonly readPinSomehow: () => Promise<string>;
  readonly currentCertificate: (how: { anew: boolean }) => Promise<ClientCredential>;
  readonly loadCredential: () => Promise<ClientCredential>;
  readonly uri: string;
  readonly issue: (spki: Uint8Array) => Promise<string>;

  // What snippets before have made or imported.
  readonly host: DetectedHost;
  readonly first: ConfidentialClientOptions;
  readonly second: SecondLeg;
  readonly identity: ManagedIdentity;
  readonly client: ConfidentialClient;
  readonly options: ConfidentialClientOptions & {
    readonly jwks: KeySource;
    readonly issuer: string;
    readonly audience: string;
    readonly certificate: CertificateHeader;
  };
  readonly transports: readonly MtlsTransport[];
  readonly emulator: import("../../../emulator/mod.ts").Emulator;
  readonly readFile: typeof import("node:fs/promises").readFile;
  readonly detect: typeof import("../../../backends/detect.ts").detect;
  readonly azureCli: typeof import("../../../backends/azure_cli/mod.ts").azureCli;
  readonly managedIdentity: typeof import("../../../mod.ts").managedIdentity;
  readonly federate: typeof import("../../../src/entra/mod.ts").federate;
  readonly confidentialClient: typeof import("../../../src/entra/mod.ts").confidentialClient;
  readonly pemCredential: typeof import("../../../src/entra/mod.ts").pemCredential;
  readonly certificateCredential: typeof import("../../../src/entra/mod.ts").certificateCredential;
  readonly rfc8705Client: typeof import("../../../src/rfc8705/mod.ts").rfc8705Client;
  readonly pkcs11Key: typeof import("../../../backends/pkcs11/mod.ts").pkcs11Key;
  readonly pkcs11Store: typeof import("../../../backends/pkcs11/mod.ts").pkcs11Store;
  readonly fileStore: typeof import("../../../backends/files/mod.ts").fileStore;

  // Express, Hono, Deno.
  readonly app: Application;
  readonly Deno: {
    createHttpClient(options: object): object;
    serve(options: object, handler: (request: Request) => Promise<Response>): void;
  };
}

/** Names of snippets that are run elsewhere, by tests that have them, or not at all. */
export const ELSEWHERE = `
declare const cert: string;
declare const key: string;
declare const caCerts: string[];
`;
