import { existsSync, readFileSync } from "node:fs";
import { places, withVersions } from "../../scripts/docs/versions";
import { versionOf } from "../../versions";

test.each([...new Set(places.map(({ file }) => file))])(
  "%s names the versions that versions.env has: else run npm run docs",
  (file) => {
    const text = readFileSync(file, "utf8");
    expect(withVersions(file, text)).toBe(text);
  },
);

test.each(["consul_version", "consul_old_version"])("the toolchain can build Consul of %s", (name) => {
  const version = versionOf(name);
  const file = `toolchain/go/consul-${version}/go.mod`;
  expect(existsSync(file)).toBe(true);
  expect(readFileSync(file, "utf8")).toContain(`github.com/hashicorp/consul v${version}\n`);
});

test("a place that is gone, and a version that is unknown, are errors", () => {
  expect(() => withVersions("package.json", "{}")).toThrow(/^package\.json has nothing that .* matches$/);
  expect(() => versionOf("consul")).toThrow("versions.env has no consul");
});

test("Renovate finds the releases of each version that is no floor and no choice of the tests", () => {
  const { customManagers } = JSON.parse(readFileSync("renovate.json", "utf8")) as {
    readonly customManagers: readonly { readonly matchStrings: readonly string[] }[];
  };
  const versions = readFileSync("versions.env", "utf8");
  const found = [...versions.matchAll(new RegExp(customManagers[0]?.matchStrings[0] ?? "", "g"))];
  const script = readFileSync("scripts/check-workflows", "utf8");

  expect(found.map(({ groups }) => groups?.["currentValue"])).toEqual(
    [...versions.matchAll(/^(\w+)=(.*)$/gm)]
      // The engine's is that of the Go module in toolchain/go/engine.
      .filter(([, name = ""]) => !/_minimum$|_old_|^engine_/.test(name))
      .map(([, , version]) => version),
  );
  expect(script).toMatch(new RegExp(customManagers[1]?.matchStrings[0] ?? "$^"));
});
