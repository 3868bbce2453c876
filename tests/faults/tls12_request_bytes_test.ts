/**
 * TLS 1.2 connections that end at any byte of their request.
 *
 * @module
 */

import { describeBytePositions } from "./support/byte_positions.ts";

describeBytePositions("TLSv1.2", "request");
