/**
 * Authorities, decided by their text alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertTenanted, parseAuthority, withTenant } from "../../src/entra/authority.ts";

describe("an authority", () => {
  const wrong: [name: string, authority: unknown][] = [
    ["nothing", undefined],
    ["an empty text", ""],
    ["http", "http://login.microsoftonline.com/t"],
    ["no scheme", "login.microsoftonline.com/t"],
    ["no tenant", "https://login.microsoftonline.com"],
    ["an empty tenant", "https://login.microsoftonline.com/"],
    ["a user", "https://login.microsoftonline.com@evil.example/t"],
    ["a user and a password", "https://a:b@login.microsoftonline.com/t"],
    ["a port", "https://login.microsoftonline.com:8443/t"],
    ["the default port", "https://login.microsoftonline.com:443/t"],
    ["a final dot", "https://login.microsoftonline.com./t"],
    ["a letter of another alphabet", "https://logіn.microsoftonline.com/t"],
    ["a dot of another alphabet", "https://login。microsoftonline.com/t"],
    ["a letter whose lower case is ours (the Kelvin sign)", "https://login.\u212Aontoso.com/t"],
    ["such a letter in the tenant", "https://login.microsoftonline.com/\u212Aontoso.com"],
    ["a full-width letter", "https://ｌogin.microsoftonline.com/t"],
    ["an escape in the host", "https://login%2Emicrosoftonline.com/t"],
    ["a backslash", "https://login.microsoftonline.com\\.evil.example/t"],
    ["a backslash before the path", "https:\\\\login.microsoftonline.com/t"],
    ["a line feed", "https://login.microsoftonline.com/t\n"],
    ["a tab in the host", "https://login\t.microsoftonline.com/t"],
    ["white space before", " https://login.microsoftonline.com/t"],
    ["a query", "https://login.microsoftonline.com/t?x=y"],
    ["a fragment", "https://login.microsoftonline.com/t#x"],
    ["a further path", "https://login.microsoftonline.com/t/v2.0"],
    ["dots for a tenant", "https://login.microsoftonline.com/.."],
    ["an escape in the tenant", "https://login.microsoftonline.com/a%2Fb"],
    ["an empty label", "https://login..microsoftonline.com/t"],
    ["a single label", "https://localhost/t"],
    ["an IPv4 address", "https://127.0.0.1/t"],
    ["an IPv4 address as one number", "https://2130706433/t"],
    ["an IPv6 address", "https://[::1]/t"],
    ["an underscore", "https://login_x.example.com/t"],
    ["three slashes", "https:///login.microsoftonline.com/t"],
    ["a label of 64 letters", `https://login.${"a".repeat(64)}.com/t`],
    ["a B2C policy", "https://fabrikam.b2clogin.com/tfp/fabrikam.onmicrosoft.com/policy"],
  ];
  for (const [name, authority] of wrong) {
    it(`is refused with ${name}`, () => {
      assert.throws(() => parseAuthority(authority as string), { code: "invalid_argument" });
    });
  }

  it("is a host and a tenant, in lower case, with or without a final slash", () => {
    const expected = { kind: "entra", host: "login.microsoftonline.com", tenant: "contoso.com" };
    for (const slash of ["", "/"]) {
      const authority = parseAuthority(`https://Login.MicrosoftOnline.com/Contoso.com${slash}`);
      assert.deepEqual({ ...authority }, expected);
    }
  });

  it("is a dSTS by its path", () => {
    assert.deepEqual({ ...parseAuthority("https://co2agg04-dsts.dsts.core.example/dstsv2/T1") }, {
      kind: "dsts",
      host: "co2agg04-dsts.dsts.core.example",
      tenant: "t1",
    });
  });

  const hosts = [
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.mylocalaad.com",
  ];
  for (const host of hosts) {
    for (const tenant of ["common", "organizations", "COMMON"]) {
      it(`of ${host} for /${tenant} has no tenant`, () => {
        const authority = parseAuthority(`https://${host}/${tenant}`);
        assert.throws(() => assertTenanted(authority), { code: "missing_tenanted_authority" });
      });
    }
  }

  it("for /consumers, a domain or an id has a tenant, and a dSTS always has one", () => {
    for (const tenant of ["consumers", "contoso.com", "751a212b-4003-416e-b600-e1f48e40db9f"]) {
      assertTenanted(parseAuthority(`https://login.microsoftonline.com/${tenant}`));
    }
    assertTenanted(parseAuthority("https://x.dsts.example/dstsv2/common"));
  });

  it("takes another tenant, if that is one", () => {
    const common = parseAuthority("https://login.microsoftonline.com/common");
    assert.equal(withTenant(common, "Fabrikam.com").tenant, "fabrikam.com");
    for (const tenant of ["", "a/b", "..", "a?b", "a b"]) {
      assert.throws(() => withTenant(common, tenant), { code: "invalid_argument" });
    }
  });
});
