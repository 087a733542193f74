import { readFileSync } from "node:fs";
import { previewed } from "../../scripts/docs/program";
import type { Registration } from "./mocks";

jest.mock("../../bundle", () => ({
  bundleServices: jest.fn((services: readonly { readonly name: string }[]) =>
    Promise.resolve(services.map((service) => ({ ...service, bundle: { context: "built", hash: "abc" } }))),
  ),
}));

const CONFIG = "CONSUL_LOCAL_CONFIG=";

/** Every configuration that an agent reads: its own, its files, and what a server writes before it stops. */
function configurations(registrations: readonly Registration[]): unknown[] {
  const containers = registrations
    .filter(({ ref }) => ref.startsWith("docker.Container "))
    .map(({ inputs }) => inputs as { envs?: string[]; uploads?: { file: string; content: string }[] });
  return [
    ...containers
      .flatMap(({ envs = [] }) => envs)
      .filter((variable) => variable.startsWith(CONFIG))
      .map((variable) => variable.slice(CONFIG.length)),
    ...containers
      .flatMap(({ uploads = [] }) => uploads)
      .filter(({ file }) => /^\/secrets\/(server|client)-\d+\/.*\.json$/.test(file))
      .map(({ content }) => content),
    ...(/'(\{.*\})' >\/consul\/config/.exec(readFileSync("components/server-run.sh", "utf8"))?.slice(1) ??
      []),
  ].map((text): unknown => JSON.parse(text));
}

/** Names of options, as `tls.defaults.ca_file`. */
function options(configuration: unknown, within = ""): string[] {
  if (typeof configuration !== "object" || configuration === null || Array.isArray(configuration))
    return [within.slice(1)];
  return Object.entries(configuration).flatMap(([key, value]) => options(value, `${within}.${key}`));
}

test("the table of the versions has every option of the agents' configuration, and no other", async () => {
  const [, section = ""] = readFileSync("docs/consul-versions.md", "utf8").split(
    "\n## Options of the agents\n",
  );
  const told = [...(section.split("\n## ")[0] ?? "").matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, option = ""]) => option),
  );
  const registrations = [await previewed("Pulumi.dev.yaml"), await previewed("Pulumi.swarm.yaml")].flat();

  expect([...told].sort()).toEqual(
    [...new Set(configurations(registrations).flatMap((one) => options(one)))].sort(),
  );
});
