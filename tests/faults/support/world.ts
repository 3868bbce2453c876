/**
 * A host with managed identities in two processes that share a directory, and all that it talks to,
 * every wire through a relay that can break it.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { FileKeyStorage } from "../../../backends/files/key_storage.ts";
import { FileStore } from "../../../backends/files/store.ts";
import { hostSurroundings, type Surroundings } from "../../../backends/files/surroundings.ts";
import { nodeTlsTransport } from "../../../backends/node_tls/mod.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { type Emulator, type EmulatorState, spawnEmulator } from "../../../emulator/mod.ts";
import type { KeyboundEvent, ManagedIdentity } from "../../../mod.ts";
import { managedIdentity } from "../../../mod.ts";
import { systemClock } from "../../../src/clock.ts";
import { certificateAlias, resolveIdentity } from "../../../src/identity.ts";
import type { KeyProvider } from "../../../src/keys.ts";
import { CLIENTS, type ClientSpec, IDENTITIES } from "./clients.ts";
import { CuttingProxy } from "./cutting_proxy.ts";
import { type FaultyFiles, faultyFiles } from "./faulty_files.ts";
import { KeyDevice, keysOn } from "./faulty_keys.ts";
import type { Random } from "./random.ts";
import { SimulatedClock } from "./simulated_clock.ts";

/** Longest pause between two looks at a file lock, milliseconds. */
const LONGEST_PAUSE = 150;

/** The key's name in the directory. */
export const KEY_ID = "keybound";

/** A client that runs. */
export interface Client extends ClientSpec {
  readonly alias: string;
  identity: ManagedIdentity;
  /** All that it told, oldest first, since it was last read. */
  events: KeyboundEvent[];
  close: () => Promise<void>;
}

/** What the emulator is like where nothing is wrong. */
const GOOD_STATE: Partial<EmulatorState> = {
  acceptEc: true,
  v1Only: false,
  attestation: "optional",
  certificateLifetime: 7 * 24 * 3_600_000,
  // Its clock, which real time moves, is set back to the simulated one now and then.
  certificateBackdate: 600_000,
  tokenLifetime: 86_399_000,
  tokenType: null,
  tokenAudience: null,
  tokenBound: true,
  serverCertificate: "valid",
  certificateOverTls13: true,
};

/** The host and its surroundings. */
export class World {
  readonly emulator: Emulator;
  readonly clock: SimulatedClock;
  readonly proxies: Readonly<Record<"metadata" | "token", CuttingProxy>>;
  readonly directory: string;
  readonly files: FaultyFiles = faultyFiles();
  readonly device: KeyDevice;
  readonly clients: Client[];
  readonly #random: Random;
  readonly #state: Partial<EmulatorState>;
  /** How wrong the host's clock is set, milliseconds. */
  #clockError = 0;

  private constructor(
    emulator: Emulator,
    clock: SimulatedClock,
    proxies: World["proxies"],
    directory: string,
    random: Random,
    specs: readonly ClientSpec[],
    state: Partial<EmulatorState>,
  ) {
    this.emulator = emulator;
    this.clock = clock;
    this.proxies = proxies;
    this.directory = directory;
    this.#random = random;
    this.#state = { ...GOOD_STATE, ...state };
    this.device = new KeyDevice((ms) => clock.advance(ms));
    this.clients = specs.map((spec) => ({
      ...spec,
      alias: certificateAlias(resolveIdentity(spec.id), false),
      ...this.#run(spec),
    }));
  }

  /** A host on which all is well. `random` is for what happens in it. */
  static async start(
    random: Random,
    specs: readonly ClientSpec[] = CLIENTS,
    state: Partial<EmulatorState> = {},
  ): Promise<World> {
    const emulator = await spawnEmulator({ identities: IDENTITIES });
    const clock = new SimulatedClock(await emulator.now());
    const relay = (url: string) =>
      CuttingProxy.start(Number(new URL(url).port), (ms) => clock.advance(ms));
    const proxies = {
      metadata: await relay(emulator.metadata),
      token: await relay(emulator.mtls),
    };
    const directory = await mkdtemp(join(tmpdir(), "keybound-faults-"));
    const world = new World(emulator, clock, proxies, directory, random, specs, state);
    await world.calm();
    return world;
  }

  /** The files of the directory as one who finds nothing wrong with them sees them. */
  surroundings(fs?: Surroundings["fs"]): Surroundings {
    const { clock } = this;
    return hostSurroundings({
      ...(fs && { fs }),
      clock: {
        now: () => clock.now(),
        // Whoever looks again after a while lets others work, and time pass; longer is a deadline.
        async sleep(ms, signal) {
          if (ms > LONGEST_PAUSE) return await clock.sleep(ms, signal);
          await systemClock().sleep(1, signal);
          await clock.advance(ms);
        },
      },
      // In a hundredth of the time, so that a lock left on a failing disk is soon seen to again.
      every(interval, beat) {
        const timer = setInterval(beat, interval / 100).unref();
        return () => clearInterval(timer);
      },
    });
  }

  /** The keys of the directory, on no device. */
  plainKeys(): KeyProvider {
    const storage = new FileKeyStorage(this.directory, this.surroundings());
    return webcryptoKeys({ storage });
  }

  /** A client's process ends, and another one starts. */
  async restart(client: Client): Promise<void> {
    await client.close();
    Object.assign(client, this.#run(client, client.events));
  }

  /** The certificates of an alias are gone from the directory. */
  async forget(alias: string): Promise<void> {
    await new FileStore(this.directory, this.surroundings()).evict(alias);
  }

  /** Changes how the services behave. */
  async set(changes: Partial<EmulatorState>): Promise<void> {
    await this.emulator.set(changes);
  }

  /** Makes an endpoint take these steps, before it goes on as ever. */
  async script(...[endpoint, ...steps]: Parameters<Emulator["script"]>): Promise<void> {
    if (endpoint !== "issuecredential") return await this.emulator.script(endpoint, ...steps);
    await this.emulator.unscript(endpoint);
    await this.emulator.script(endpoint, ...steps.map((step) => this.#announcing(step)));
    await this.#announce();
  }

  /** Sets the host's clock wrong by so many milliseconds, till the next calm. */
  misset(ms: number): void {
    this.#clockError += ms;
    this.clock.set(ms);
  }

  /** Sets the emulator's clock right. */
  async synchronize(): Promise<void> {
    await this.emulator.set({ clockOffset: this.#clockOffset() });
  }

  /** Ends all faults but those that can't be undone. */
  async calm(): Promise<void> {
    this.proxies.metadata.disarm();
    this.proxies.token.disarm();
    this.files.fail(undefined);
    this.device.trouble = "none";
    this.misset(-this.#clockError);
    await this.emulator.unscript();
    await this.#announce();
    await this.emulator.set({ ...this.#state, clockOffset: this.#clockOffset() });
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const client of this.clients) await client.close();
    await this.proxies.metadata.close();
    await this.proxies.token.close();
    await this.emulator.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  #clockOffset(): number {
    return Math.round(this.clock.now() - this.#clockError - Date.now());
  }

  /** The metadata service names the relay as the token endpoint. */
  async #announce(): Promise<void> {
    const step = this.#announcing({ kind: "amend", times: "forever" });
    await this.emulator.script("issuecredential", step);
  }

  #announcing<S extends Parameters<Emulator["script"]>[1]>(step: S): S {
    if (step.kind !== "amend") return step;
    const endpoint = {
      mtls_authentication_endpoint: `https://127.0.0.1:${this.proxies.token.port}`,
    };
    return { ...step, merge: { ...endpoint, ...step.merge } };
  }

  #run({ id, tlsVersion }: ClientSpec, events: KeyboundEvent[] = []): Pick<
    Client,
    "identity" | "events" | "close"
  > {
    const { clock, directory, device, proxies } = this;
    const surroundings = this.surroundings(this.files.fs);
    const storage = new FileKeyStorage(directory, surroundings);
    const transport = nodeTlsTransport({ ca: this.emulator.ca, clock });
    const identity = managedIdentity({
      ...id,
      keys: keysOn(device, webcryptoKeys({ storage })),
      keyId: KEY_ID,
      keyAlgorithm: "P-256",
      store: new FileStore(directory, surroundings),
      transports: [transport],
      environment: {
        AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://127.0.0.1:${proxies.metadata.port}`,
      },
      tokenTlsVersion: tlsVersion,
      clock,
      random: () => this.#random.next(),
      onEvent(event) {
        if (event.type === "retry") clock.announce(event.delay);
        events.push(event);
      },
    });
    return {
      identity,
      events,
      async close() {
        await identity.close();
        await transport.close();
      },
    };
  }
}
