/**
 * Servers of the snippets that take bound tokens: each is asked twice as soon as it is there, with a
 * token over the connection it is bound to, and without one.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type ServerOptions } from "node:https";
import { once } from "node:events";
import { encodePem } from "../../../src/x509/pem.ts";
import type { Names } from "./names.ts";

/** A token and the certificate that it is bound to. */
export interface Presented {
  readonly token: string;
  /** DER. */
  readonly certificate: Uint8Array<ArrayBuffer>;
}

/** What servers of snippets are given to. */
export interface Guarded {
  readonly app: Names["app"];
  readonly serve: Names["Deno"]["serve"];
  readonly createServer: (options: ServerOptions, listener: Listener) => Server;
  /** The connection of a client that presents the certificate. */
  readonly socket: object;
  /** What was tried since; rejects where a server let in what it mustn't, or the other way round. */
  settled(): Promise<number>;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Collects servers and tries them. */
export function guarded({ token, certificate }: Presented): Guarded {
  const trials: Promise<void>[] = [];
  const header = encodeURIComponent(encodePem("CERTIFICATE", certificate));
  const socket = { getPeerCertificate: () => ({ raw: certificate }) };
  const admitted = () =>
    new Request("http://127.0.0.1:8080/orders", {
      headers: { authorization: `Bearer ${token}`, "x-client-cert": header },
    });
  const stranger = () => new Request("http://127.0.0.1:8080/orders");

  const express = async (middleware: (...context: never[]) => Promise<unknown>) => {
    for (const isAdmitted of [true, false]) {
      let reached = false;
      const rawHeaders = isAdmitted ? ["Authorization", `Bearer ${token}`] : [];
      let status = 0;
      const response = {
        locals: {},
        writeHead: (code: number) => void (status = code),
        end: () => {},
      };
      const next = () => reached = true;
      const context = [{ rawHeaders, url: "/orders", socket }, response, next];
      await middleware(...context as never[]);
      assert.deepEqual([reached, status], isAdmitted ? [true, 0] : [false, 401]);
    }
  };
  const hono = async (middleware: (...context: never[]) => Promise<unknown>) => {
    for (const [raw, isAdmitted] of [[admitted(), true], [stranger(), false]] as const) {
      let reached = false;
      const context = { req: { raw }, set: () => {} };
      const next = () => Promise.resolve(void (reached = true));
      const answer = await middleware(...[context, next] as never[]);
      assert.equal(reached, isAdmitted);
      assert.equal((answer as Response | undefined)?.status, isAdmitted ? undefined : 401);
    }
  };

  return {
    socket,
    app: {
      use: (middleware) => void trials.push((middleware.length === 3 ? express : hono)(middleware)),
    },
    serve: (_options, handler) =>
      void trials.push((async () => assert.equal((await handler(stranger())).status, 401))()),
    // On a port that is free, whatever the snippet says, and closed with the trial.
    createServer: (options, listener) => {
      const server = createServer(options, listener);
      const listen = server.listen.bind(server);
      server.listen = ((_port: number) => {
        const listening = listen(0, "127.0.0.1");
        trials.push((async () => {
          await once(server, "listening");
          assert.ok((server.address() as AddressInfo).port > 0);
          server.close();
        })());
        return listening;
      }) as typeof server.listen;
      return server;
    },
    async settled() {
      const all = trials.splice(0);
      await Promise.all(all);
      return all.length;
    },
  };
}
