/**
 * A thread that waits for a signature and tells what it got.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { SignatureSlot } from "../../backends/openssl/worker_messages.ts";

const slot = new SignatureSlot(workerData as SharedArrayBuffer);
slot.clear();
parentPort!.postMessage("waiting");
parentPort!.postMessage(slot.wait());
