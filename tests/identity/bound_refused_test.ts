/**
 * Bound tokens where the host has none: which error, and what was asked before (protocol.md sections
 * 1.8, 9.1).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import { status, VAULT } from "../support/fake_azure.ts";
import {
  BEARER,
  bearerHost,
  ENVIRONMENT_SOURCES,
  ENVIRONMENTS,
  type SentRequest,
  withoutImdsV2,
} from "./support/bearer_host.ts";

const probes = (v2: number, v1: number) => ({ url }: SentRequest) =>
  new Response("{}", {
    status: url.includes("getplatformmetadata") ? v2 : url.includes("/compute") ? 404 : v1,
  });

describe("a bound token", () => {
  for (const [source, environment] of ENVIRONMENT_SOURCES) {
    it(`of ${source} is mtls_pop_not_supported_for_environment, without a request`, async () => {
      const host = await bearerHost(environment);
      const identity = host.identity();
      const calls = [
        identity.getToken({ resource: VAULT }),
        identity.getToken({ resource: VAULT, binding: "mtls_pop", forceRefresh: true }),
        identity.fetch("https://v.vault.azure.net/", { resource: VAULT }),
      ];
      for (const call of calls) {
        await assert.rejects(call, (error) => {
          assert.ok(isKeyboundError(error, "mtls_pop_not_supported_for_environment"));
          assert.equal(error.source, source);
          assert.match(error.correlationId!, /^[0-9a-f-]{36}$/);
          assert.equal(error.retryable, false);
          return true;
        });
      }
      assert.deepEqual([host.azure.sent.length, host.sent.length], [0, 0]);
    });

    it(`of ${source} with a floor is min_strength_not_met, naming both strengths`, async () => {
      for (const minStrength of ["software", "hardware", "keyguard"] as const) {
        const host = await bearerHost(environment);
        await assert.rejects(
          host.identity().getToken({ resource: VAULT, minStrength }),
          (error) => {
            assert.ok(isKeyboundError(error, "min_strength_not_met"));
            assert.equal(error.source, source);
            assert.match(error.message, new RegExp(`'none'.*'${minStrength}'`));
            return true;
          },
        );
        assert.deepEqual([host.azure.sent.length, host.sent.length], [0, 0]);
      }
    });
  }

  it("of a host with IMDSv1 only is refused after its 404", async () => {
    const host = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    await assert.rejects(host.identity().getToken({ resource: VAULT }), {
      code: "mtls_pop_token_not_supported_in_imds_v1",
      status: 404,
    });
    assert.equal(host.azure.counts(), "1+0+0+0");
  });

  it("of a host known to have IMDSv1 only is refused without a request", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    host.settings.probe = (_i, request) => probes(404, 400)(request);
    const identity = host.identity({ metadataTimeout: 50 });
    const asked = identity.capabilities({ deadline: 60_000 });
    await host.azure.clock.advance(30_000);
    assert.equal((await asked).source, "Imds");
    await assert.rejects(identity.getToken({ resource: VAULT }), {
      code: "mtls_pop_token_not_supported_in_imds_v1",
      source: "Imds",
    });
    await assert.rejects(identity.getToken({ resource: VAULT, minStrength: "software" }), {
      code: "min_strength_not_met",
    });
    assert.deepEqual([host.azure.sent.length, host.sent.length], [0, 0]);
    assert.equal((await identity.getToken(BEARER)).source, "Imds");
  });

  it("of a host known to have no identity is managed_identity_all_sources_unavailable, for a minute", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    const identity = host.identity();
    assert.equal((await identity.capabilities()).source, undefined);
    for (const binding of ["mtls_pop", "bearer", "preferred"] as const) {
      await assert.rejects(identity.getToken({ resource: VAULT, binding }), {
        code: "managed_identity_all_sources_unavailable",
        retryable: true,
      });
    }
    await assert.rejects(identity.getToken({ resource: VAULT, minStrength: "keyguard" }), {
      code: "managed_identity_all_sources_unavailable",
    });
    assert.deepEqual([host.azure.sent.length, host.sent.length], [0, 0]);
    await host.azure.clock.advance(60_000);
    assert.equal((await identity.getToken({ resource: VAULT })).tokenType, "mtls_pop");
  });

  it("of a host known to have IMDSv2 is asked for, and so is a bearer token, by turns", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    host.settings.probe = (_i, request) => probes(400, 400)(request);
    const identity = host.identity();
    assert.equal((await identity.capabilities()).boundTokens, true);
    for (let i = 0; i < 2; i++) {
      assert.equal((await identity.getToken(BEARER)).tokenType, "Bearer");
      assert.equal((await identity.getToken({ resource: VAULT })).tokenType, "mtls_pop");
    }
    assert.deepEqual([host.sent.length, host.azure.counts()], [1, "1+1+1+0"]);
  });

  it("is refused with the strength there is where that is too weak, before any network", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    await assert.rejects(host.identity().getToken({ resource: VAULT, minStrength: "keyguard" }), {
      code: "min_strength_not_met",
    });
    assert.equal(host.azure.sent.length, 0);
  });

  it("that is in memory is served whatever has been found out since", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    const identity = host.identity();
    await identity.getToken({ resource: VAULT });
    assert.equal((await identity.capabilities()).source, undefined);
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, true);
  });

  it("isn't promised by a metadata service that fails, whose error it is", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    host.azure.always("getplatformmetadata", status(400, { error: "e" }));
    await assert.rejects(host.identity().getToken({ resource: VAULT }), {
      code: "managed_identity_request_failed",
      status: 400,
    });
  });
});
