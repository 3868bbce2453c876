/**
 * The whole flow with a key in software.
 *
 * @module
 */

import { detect } from "../../backends/detect.ts";
import { describeFlow } from "./support/flow.ts";

describeFlow({ host: detect });
