/**
 * Programs that run in the background, and waiting for what they offer.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";

/**
 * A program that runs until it is stopped.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function program(command, args, env = process.env) {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let child;
  return {
    start() {
      child = spawn(pathOf(command) ?? command, args, { stdio: "ignore", env });
      child.once("error", () => child = undefined);
      // It keeps nobody waiting, and doesn't outlive whoever forgets to stop it.
      child.unref();
      process.once("exit", () => child?.kill());
    },
    async stop() {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => running.once("exit", resolve));
      running.ref();
      running.kill();
      await ended;
    },
  };
}

/** Two neighbouring ports of loopback, free just now. */
export async function twoFreePorts() {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = await listen(0);
    const address = first.address();
    const port = typeof address === "object" && address !== null ? address.port : 65_535;
    const second = await listen(port + 1).catch(() => undefined);
    await Promise.all([first, second].map((server) => server && close(server)));
    if (second !== undefined) return port;
  }
  throw new Error("No two neighbouring ports are free.");
}

/**
 * @param {number} port
 * @returns {Promise<import("node:net").Server>}
 */
function listen(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** @param {import("node:net").Server} server */
function close(server) {
  return new Promise((resolve) => server.close(() => resolve(undefined)));
}

/**
 * Whether somebody listens on a port of loopback.
 *
 * @param {number} port
 */
export function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/**
 * Resolves when it is so; rejects when that takes longer than 10 s.
 *
 * @param {string} what
 * @param {() => unknown} isSo
 */
export async function until(what, isSo) {
  const end = Date.now() + 10_000;
  while (!await isSo()) {
    if (Date.now() > end) throw new Error(`Waited for ${what} in vain.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Whether programs of all these names are installed.
 *
 * @param {...string} names
 */
export function hasPrograms(...names) {
  return names.every((name) => pathOf(name) !== undefined);
}

/**
 * Where a program is; services are not in every user's path.
 *
 * @param {string} name
 */
function pathOf(name) {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
