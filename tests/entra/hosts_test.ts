/**
 * Hosts of the clouds, names of regions, modes and scopes, decided without any I/O.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAuthority } from "../../src/entra/authority.ts";
import { assertMtlsHost, loginTokenEndpoint, mtlsTokenEndpoint } from "../../src/entra/clouds.ts";
import { chooseMode, type ProofKind } from "../../src/entra/mode.ts";
import type { EntraBindingWish } from "../../src/entra/options.ts";
import {
  chooseRegion,
  isRegionName,
  offeredVersion,
  regionOfEnvironment,
  regionOfMetadata,
} from "../../src/entra/region.ts";
import type { Environment } from "../../src/sources/source.ts";
import { scopeOf } from "../../src/entra/request.ts";

describe("the mTLS host", () => {
  const refused: [host: string, advice: RegExp][] = [
    ["login.usgovcloudapi.net", /login\.microsoftonline\.us/],
    ["login.chinacloudapi.cn", /login\.partner\.microsoftonline\.cn/],
    ["mtlsauth.microsoft.com", /'login\.'/],
    ["sts.windows.net", /'login\.'/],
    ["graph.microsoft.com", /'login\.'/],
    ["login-us.microsoftonline.com", /'login\.'/],
    ["westus.login.microsoft.com", /'login\.'/],
    ["xlogin.microsoftonline.com", /'login\.'/],
  ];
  for (const [host, advice] of refused) {
    it(`isn't known for ${host}`, () => {
      const authority = parseAuthority(`https://${host}/t`);
      const expected = { code: "mtls_pop_not_supported_for_environment", message: advice };
      assert.throws(() => assertMtlsHost(authority), expected);
      assert.throws(() => mtlsTokenEndpoint(authority, undefined), expected);
    });
  }

  const clouds: [host: string, global: string][] = [
    ["login.microsoftonline.com", "mtlsauth.microsoft.com"],
    ["login.windows.net", "mtlsauth.microsoft.com"],
    ["login.microsoft.com", "mtlsauth.microsoft.com"],
    ["LOGIN.microsoftonline.COM", "mtlsauth.microsoft.com"],
    ["login.microsoftonline.us", "mtlsauth.microsoftonline.us"],
    ["login.partner.microsoftonline.cn", "mtlsauth.partner.microsoftonline.cn"],
    ["login.sovcloud-identity.fr", "mtlsauth.sovcloud-identity.fr"],
    ["login.sovcloud-identity.de", "mtlsauth.sovcloud-identity.de"],
    ["login.sovcloud-identity.sg", "mtlsauth.sovcloud-identity.sg"],
    ["login.mylocalaad.com", "mtlsauth.mylocalaad.com"],
  ];
  for (const [host, global] of clouds) {
    it(`of ${host} is ${global}, and below it the regional ones`, () => {
      const authority = parseAuthority(`https://${host}/t`);
      const path = "/t/oauth2/v2.0/token";
      assert.equal(mtlsTokenEndpoint(authority, undefined), `https://${global}${path}`);
      assert.equal(mtlsTokenEndpoint(authority, "EastUS"), `https://eastus.${global}${path}`);
    });
  }

  it("of a dSTS is its own, whatever the region", () => {
    const authority = parseAuthority("https://some.dsts.example/dstsv2/common");
    const url = "https://some.dsts.example/dstsv2/common/oauth2/v2.0/token";
    assert.equal(mtlsTokenEndpoint(authority, "eastus"), url);
    assert.equal(loginTokenEndpoint(authority, "eastus"), url);
  });

  it("is the global one for a region that isn't plain letters and digits", () => {
    const authority = parseAuthority("https://login.microsoftonline.com/t");
    for (const region of ["evil.example/", "a.b", "eastus@evil", "", "ea stus", "eastus\n"]) {
      const { hostname } = new URL(mtlsTokenEndpoint(authority, region));
      assert.equal(hostname, "mtlsauth.microsoft.com");
      const login = new URL(loginTokenEndpoint(authority, region));
      assert.equal(login.hostname, "login.microsoftonline.com");
    }
  });
});

describe("the login host", () => {
  const rows: [host: string, region: string | undefined, expected: string][] = [
    ["login.microsoftonline.com", undefined, "login.microsoftonline.com"],
    ["login.windows.net", undefined, "login.windows.net"],
    ["login.microsoftonline.com", "WestUS", "westus.login.microsoft.com"],
    ["login.windows.net", "westus", "westus.login.microsoft.com"],
    ["westus.login.microsoft.com", "westus", "westus.login.microsoft.com"],
    ["login.microsoftonline.us", "usgovvirginia", "usgovvirginia.login.microsoftonline.us"],
    ["login.someenv.com", "centralus", "centralus.login.someenv.com"],
    ["sts.contoso.com", undefined, "sts.contoso.com"],
  ];
  for (const [host, region, expected] of rows) {
    it(`of ${host} in ${region ?? "no region"} is ${expected}`, () => {
      const url = loginTokenEndpoint(parseAuthority(`https://${host}/t`), region);
      assert.equal(url, `https://${expected}/t/oauth2/v2.0/token`);
    });
  }
});

describe("a region's name", () => {
  const names: [name: string, isOne: boolean][] = [
    ["westus", true],
    ["WestUS2", true],
    ["centralindia", true],
    ["1", true],
    ["", false],
    ["west/us", false],
    ["west?us", false],
    ["west#us", false],
    ["west@us", false],
    ["west.us", false],
    ["west-us", false],
    ["west us", false],
    ["westus\n", false],
    ["westus\r\n", false],
    ["\nwestus", false],
    ["westus٢", false],
    ["wéstus", false],
    ["a".repeat(64), false],
  ];
  for (const [name, isOne] of names) {
    it(`${isOne ? "can" : "can't"} be ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.equal(isRegionName(name), isOne);
    });
  }

  const choices: [configured: string | undefined, environment: Environment, expected: string][] = [
    [undefined, {}, "global"],
    [undefined, { REGION_NAME: "westus" }, "global"],
    ["westus", {}, "westus"],
    ["westus", { MSAL_FORCE_REGION: "eastus" }, "westus"],
    ["westus", { MSAL_DISABLE_REGION: "1" }, "global"],
    ["auto", { MSAL_DISABLE_REGION: "true" }, "global"],
    ["westus", { MSAL_DISABLE_REGION: "" }, "westus"],
    [undefined, { MSAL_FORCE_REGION: "eastus" }, "eastus"],
    [undefined, { MSAL_FORCE_REGION: "" }, "global"],
    [undefined, { MSAL_FORCE_REGION: "TryAutoDetect" }, "detect"],
    [undefined, { MSAL_FORCE_REGION: "e.evil" }, "global"],
    ["none", { MSAL_FORCE_REGION: "eastus" }, "global"],
    ["disablemsalforceregion", { MSAL_FORCE_REGION: "eastus" }, "global"],
    ["auto", {}, "detect"],
    ["tryautodetect", {}, "detect"],
    ["west us", {}, "global"],
    ["", {}, "global"],
  ];
  for (const [configured, environment, expected] of choices) {
    it(`${configured} with ${JSON.stringify(environment)} comes to ${expected}`, () => {
      const choice = chooseRegion(configured, environment);
      assert.equal(choice.kind === "named" ? choice.region : choice.kind, expected);
    });
  }

  it("from the environment loses its blanks and capitals, and is thrown away if poisoned", () => {
    const rows: [value: string | undefined, expected: string | undefined][] = [
      ["Region With Spaces", "regionwithspaces"],
      ["westus", "westus"],
      ["", undefined],
      [undefined, undefined],
      ["westus/evil", undefined],
      ["west\tus", undefined],
      ["a.evil.example", undefined],
      ["\u212Aoreacentral", undefined],
    ];
    for (const [value, expected] of rows) {
      assert.equal(regionOfEnvironment({ REGION_NAME: value }), expected);
    }
  });

  it("from the metadata service is taken as it is, or not at all", () => {
    const rows: [status: number, body: string, expected: string | undefined][] = [
      [200, '{"location":"westeurope"}', "westeurope"],
      [200, '{"location":"Region with spaces"}', undefined],
      [200, '{"location":""}', undefined],
      [200, '{"location":7}', undefined],
      [200, "{}", undefined],
      [200, "", undefined],
      [200, "<html>", undefined],
      [200, "null", undefined],
      [404, '{"location":"westeurope"}', undefined],
      [500, "", undefined],
    ];
    for (const [status, body, expected] of rows) {
      assert.equal(regionOfMetadata(status, body), expected, body);
    }
  });

  it("is asked for in the first API version that is offered", () => {
    const body = '{"error":"Bad request","newest-versions":["2020-10-01","2020-09-01"]}';
    assert.equal(offeredVersion(400, body), "2020-10-01");
    for (const versions of ["[]", "null", '["x&y=z"]', "[7]", '"2020-10-01"']) {
      assert.equal(offeredVersion(400, `{"newest-versions":${versions}}`), undefined);
    }
    assert.equal(offeredVersion(400, ""), undefined);
    assert.equal(offeredVersion(200, body), undefined);
  });
});

describe("the mode of a request", () => {
  it("doesn't bind a token to an assertion that came without a certificate", () => {
    assert.throws(() => chooseMode("unbound_assertion", "mtls_pop", false), {
      code: "mtls_certificate_not_provided",
    });
  });

  const rows: [ProofKind, EntraBindingWish, boolean, string][] = [
    ["certificate", "mtls_pop", false, "A: mTLS, none, mtls_pop"],
    ["bound_assertion", "mtls_pop", false, "B: mTLS, bound, mtls_pop"],
    ["bound_assertion", "bearer", false, "C: mTLS, bound, Bearer"],
    ["unbound_assertion", "bearer", false, "D: login, unbound, Bearer"],
    ["certificate", "bearer", true, "E: mTLS, self_signed, Bearer"],
    ["certificate", "mtls_pop", true, "A: mTLS, none, mtls_pop"],
    ["certificate", "bearer", false, "x5c: login, self_signed, Bearer"],
  ];
  for (const [proof, wish, sends, expected] of rows) {
    it(`with ${proof} for ${wish}${sends ? ", certificates over mTLS," : ""} is ${expected}`, () => {
      const { name, overMtls, assertion, tokenType } = chooseMode(proof, wish, sends);
      const where = overMtls ? "mTLS" : "login";
      assert.equal(`${name}: ${where}, ${assertion}, ${tokenType}`, expected);
    });
  }
});

describe("the scope of a target", () => {
  it("isn't anything blank, double, too long or with white space", () => {
    const targets = [
      {},
      { scope: "" },
      { resource: "" },
      { scope: "a b" },
      { scope: "a\n" },
      { scope: "a\0" },
      { scope: 7 },
      { scope: "x".repeat(2049) },
      { scope: "a/.default", resource: "a" },
    ];
    for (const target of targets) {
      assert.throws(() => scopeOf(target as unknown as { scope: string }), {
        code: "invalid_argument",
      });
    }
  });

  it("is the scope as given, or the resource with /.default", () => {
    assert.equal(scopeOf({ scope: "api://x/y" }), "api://x/y");
    assert.equal(scopeOf({ resource: "https://v.example" }), "https://v.example/.default");
    assert.equal(scopeOf({ resource: "https://v.example/.default" }), "https://v.example/.default");
  });
});
