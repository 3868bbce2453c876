// @ts-self-types="./tokens.d.mts"
/**
 * Throw-away PKCS#11 tokens: a SoftHSM token and a TPM 2 in software, each with a folder of its own.
 *
 * SoftHSM: Debian package `softhsm2`. TPM: `swtpm`, `tpm2-abrmd` with `libtss2-tcti-tabrmd0` and
 * `dbus-daemon`, `libtpm2-pkcs11-1`, `tpm2-tools` and, for `pkcs11-tool`, `opensc`.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { answers, hasPrograms, program, twoFreePorts, until } from "./services.mjs";

const run = promisify(execFile);

/**
 * A token that nobody else uses.
 *
 * @typedef {object} Token
 * @property {string} library absolute path of the PKCS#11 module
 * @property {string} label the token's label
 * @property {string} pin the user's PIN
 * @property {string} soPin the security officer's PIN
 * @property {string} directory where everything of it is
 * @property {Readonly<Record<string, string>>} env what the module must find in the environment of
 *   its process, before it is loaded
 * @property {() => Promise<void>} destroy ends its programs and removes its folder
 */

/**
 * A TPM's power and its owner's hierarchy.
 *
 * @typedef {object} TpmSwitch
 * @property {() => Promise<void>} stop takes the TPM away
 * @property {() => Promise<void>} start brings it back as it was
 * @property {() => Promise<void>} clear throws away everything of the owner, as `tpm2_clear` does
 * @property {() => Promise<void>} renew sets the token up anew after that, with nothing in it
 */

const SOFTHSM_LIBRARIES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

const TPM2_LIBRARIES = [
  "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib64/pkcs11/libtpm2_pkcs11.so",
  "/usr/lib/pkcs11/libtpm2_pkcs11.so",
];

/** The module of SoftHSM, `undefined` where it or its program isn't installed. */
export function softhsmLibrary() {
  return hasPrograms("softhsm2-util")
    ? SOFTHSM_LIBRARIES.find((path) => existsSync(path))
    : undefined;
}

/** The module of tpm2-pkcs11, `undefined` where it or what is needed to try it isn't installed. */
export function tpm2Library() {
  return hasPrograms("swtpm", "tpm2-abrmd", "dbus-daemon", "pkcs11-tool", "tpm2_clear")
    ? TPM2_LIBRARIES.find((path) => existsSync(path))
    : undefined;
}

/**
 * A new SoftHSM token.
 *
 * @returns {Promise<Token>}
 */
export async function createSoftHsmToken() {
  const library = softhsmLibrary();
  if (library === undefined) throw new Error("SoftHSM is not installed: apt-get install softhsm2.");
  const directory = await mkdtemp(join(tmpdir(), "keybound-softhsm-"));
  const destroy = () => rm(directory, { recursive: true, force: true });
  try {
    const configuration = join(directory, "softhsm2.conf");
    await writeFile(
      configuration,
      `directories.tokendir = ${directory}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    const env = { SOFTHSM2_CONF: configuration };
    const token = { library, label: "keybound", pin: "1234", soPin: "87654321", directory, env };
    await run("softhsm2-util", [
      ...["--init-token", "--free", "--label", token.label],
      ...["--pin", token.pin, "--so-pin", token.soPin],
    ], { env: { ...process.env, ...env } });
    return { ...token, destroy };
  } catch (error) {
    await destroy();
    throw error;
  }
}

/**
 * A new software TPM on loopback, with a resource manager as Linux has one at `/dev/tpmrm0`, and a
 * token of tpm2-pkcs11 on it.
 *
 * @returns {Promise<Token & TpmSwitch>}
 */
export async function createTpmToken() {
  const library = tpm2Library();
  if (library === undefined) {
    throw new Error(
      `No TPM to try: apt-get install swtpm libtpm2-pkcs11-1 tpm2-tools tpm2-abrmd ` +
        `libtss2-tcti-tabrmd0 dbus-daemon opensc.`,
    );
  }
  const directory = await mkdtemp(join(tmpdir(), "keybound-tpm-"));
  const bus = `unix:path=${join(directory, "bus")}`;
  const env = {
    DBUS_SESSION_BUS_ADDRESS: bus,
    TPM2_PKCS11_STORE: directory,
    TPM2_PKCS11_TCTI: "tabrmd:bus_type=session",
    TPM2TOOLS_TCTI: "tabrmd:bus_type=session",
    // Its libraries write a line on standard error for every refusal of the TPM.
    TSS2_LOG: "all+NONE",
    TPM2_PKCS11_LOG_LEVEL: "0",
  };
  const options = { env: { ...process.env, ...env } };
  const broker = program("dbus-daemon", [
    ...["--session", "--nofork", "--nopidfile", `--address=${bus}`],
  ]);
  const tpm = softwareTpm(directory, options.env);
  const destroy = async () => {
    await tpm.stop();
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    broker.start();
    await until("the message bus", () => existsSync(join(directory, "bus")));
    await tpm.start();
    const token = { library, label: "keybound", pin: "1234", soPin: "87654321", directory, env };
    const tool = (/** @type {string[]} */ ...args) =>
      run("pkcs11-tool", ["--module", library, "--slot-index", "0", ...args], options);
    const initialize = async () => {
      await tool("--init-token", "--label", token.label, "--so-pin", token.soPin);
      await tool(
        ...["--login", "--login-type", "so", "--so-pin", token.soPin],
        ...["--init-pin", "--new-pin", token.pin],
      );
    };
    await initialize();
    const clear = async () => {
      await run("tpm2_clear", ["-c", "p"], options);
    };
    const renew = async () => {
      await rm(join(directory, "tpm2_pkcs11.sqlite3"), { force: true });
      await initialize();
    };
    return { ...token, start: tpm.start, stop: tpm.stop, clear, renew, destroy };
  } catch (error) {
    await destroy();
    throw error;
  }
}

/**
 * swtpm with its state in a folder, and tpm2-abrmd in front of it, which frees what a client that
 * has gone left in the TPM.
 *
 * @param {string} directory
 * @param {NodeJS.ProcessEnv} env
 */
function softwareTpm(directory, env) {
  /** @type {ReturnType<typeof program>[]} */
  let running = [];
  const stop = async () => {
    for (const { stop } of running.reverse()) await stop();
    running = [];
  };
  const start = async () => {
    // The port for control follows that for commands, as the TPM libraries want it.
    const port = await twoFreePorts();
    const address = (/** @type {number} */ number) => `type=tcp,bindaddr=127.0.0.1,port=${number}`;
    const tpm = program("swtpm", [
      ...["socket", "--tpm2", "--tpmstate", `dir=${directory}`],
      ...["--server", address(port), "--ctrl", address(port + 1)],
      ...["--flags", "not-need-init,startup-clear"],
    ]);
    const manager = program("tpm2-abrmd", [
      ...["--session", `--tcti=swtpm:host=127.0.0.1,port=${port}`],
      ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
    ], env);
    running = [tpm, manager];
    tpm.start();
    await until("swtpm", () => answers(port + 1));
    manager.start();
    await until("tpm2-abrmd", async () => {
      const asked = run("tpm2_getcap", ["properties-fixed"], { env });
      return await asked.then(() => true, () => false);
    });
  };
  return { start, stop };
}
