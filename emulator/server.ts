/**
 * Puts an emulator together in this process.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { KeyboundError } from "../src/errors.ts";
import { serveAdmin } from "./admin.ts";
import { numbering } from "./connections.ts";
import { Control } from "./control.ts";
import { Core } from "./core.ts";
import { type ListenerService, serveEndpoints, type Service } from "./endpoint_server.ts";
import { type Call, emulatorOf } from "./facade.ts";
import {
  type Listener,
  type ListenerParts,
  listenHttp,
  listenHttps,
  listenMtls,
  type MtlsBehaviour,
} from "./listeners.ts";
import { Queue } from "./queue.ts";
import { Recorder } from "./recorder.ts";
import {
  attestationService,
  metadataService,
  resourceService,
  serviceFabricService,
  sourcesService,
  tokenService,
} from "./routes.ts";
import { check, ENDPOINTS, optionsSchema } from "./schemas.ts";
import { sourceEnvironments } from "./source_environments.ts";
import type { Step } from "./steps.ts";
import type { EndpointName, MtlsListener } from "./traffic.ts";
import type { Emulator, EmulatorAddresses, EmulatorOptions, ListenerName } from "./types.ts";

/** Starts an emulator in this process. */
export async function serveEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const checked = check(optionsSchema, options, "options");
  const core = await Core.create(checked, Date.now);
  const opened: Listener[] = [];
  let closing: Promise<unknown> | undefined;
  // Whoever closes it again waits for the same end.
  const close = async () => {
    await (closing ??= Promise.all([
      core.sourceHost.challenges.close(),
      ...opened.map((listener) => listener.close()),
    ]));
  };
  try {
    return await open(core, checked, opened, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens the listeners, each noted in `opened` as soon as it is there. */
async function open(
  core: Core,
  { history = 1000, ports = {} }: EmulatorOptions,
  opened: Listener[],
  closeAll: () => Promise<void>,
): Promise<Emulator> {
  const recorder = new Recorder(history);
  const scripts = Object.fromEntries(
    ENDPOINTS.map((endpoint) => [endpoint, new Queue<Step>()]),
  ) as Record<EndpointName, Queue<Step>>;
  const service: Service = { recorder, scripts, now: () => core.now() };
  const next = numbering();
  const noted = async <Kind extends Listener>(opening: Promise<Kind>): Promise<Kind> => {
    const listener = await opening;
    opened.push(listener);
    return listener;
  };
  const parts = (name: ListenerName, listener: ListenerService): ListenerParts => ({
    serve: (connections) => serveEndpoints(service, listener, connections),
    next,
    port: ports[name] ?? 0,
  });
  const identity = await core.serverIdentity(core.state.serverCertificate);
  const mtls = async (name: MtlsListener, listener: ListenerService) => {
    const behaviour: MtlsBehaviour = {
      identity,
      maxVersion: core.state.maxTlsVersion,
      ca: core.authority.ca,
      onConnection: () => recorder.count(`${name}_connections`),
      welcomes: listener.welcomes,
    };
    const place = name === "token" ? "mtls" : name;
    return await noted(listenMtls(parts(place, listener), behaviour));
  };
  const metadata = await noted(listenHttp(parts("metadata", metadataService(core))));
  const attestation = await noted(listenHttp(parts("attestation", attestationService(core))));
  const token = await mtls("token", tokenService(core));
  const resource = await mtls("resource", resourceService(core));
  const sources = await noted(listenHttp(parts("sources", sourcesService(core))));
  const { sourceHost } = core;
  const serviceFabric = await noted(
    listenHttps(
      parts("serviceFabric", serviceFabricService(core)),
      sourceHost.serviceFabric,
    ),
  );
  const addresses: EmulatorAddresses = {
    metadata: origin("http", metadata),
    mtls: origin("https", token),
    resource: origin("https", resource),
    attestation: origin("http", attestation),
    sources: sourceEnvironments({
      ...sourceHost,
      metadata: origin("http", metadata),
      sources: origin("http", sources),
      serviceFabric: origin("https", serviceFabric),
      defaultClientId: defaultClientId(core),
    }),
    serviceFabricCertificate: sourceHost.serviceFabric.cert,
    ca: core.authority.ca,
  };
  core.addresses = addresses;

  const control = new Control({ core, recorder, scripts, listeners: { token, resource } });
  let closed = false;
  const call: Call = async (method, args) => {
    if (closed) throw new KeyboundError("closed", "The emulator has been closed.");
    return await control.call(method, args);
  };
  const secret = randomBytes(32).toString("base64url");
  const admin = await noted(listenHttp({
    serve: () => serveAdmin(secret, addresses, call),
    next,
    port: ports.admin ?? 0,
  }));
  return emulatorOf({
    addresses,
    admin: { url: origin("http", admin), secret },
    call,
    close: async () => {
      closed = true;
      await closeAll();
    },
  });
}

function origin(scheme: "http" | "https", { port }: Listener): string {
  return `${scheme}://127.0.0.1:${port}`;
}

function defaultClientId({ surroundings: { identities } }: Core): string {
  const system = identities.find((identity) => identity.kind === "system");
  return (system ?? identities[0])?.clientId ?? "";
}
