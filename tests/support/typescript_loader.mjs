/**
 * What lets a Node before 22.18 run TypeScript (`--import`), in worker threads too: `--import tsx` does
 * so on the main thread alone there.
 *
 * @module
 */

import { register } from "tsx/esm/api";

register();
