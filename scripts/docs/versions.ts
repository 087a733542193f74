import { versionOf } from "../../versions";

/** Where a file that cannot read `versions.env` names one of them. */
interface Place {
  readonly file: string;
  /** Every spot in the file: what matches is the version alone. */
  readonly spots: RegExp;
  /** The version's name in `versions.env`. */
  readonly name: string;
}

// What was measured with a version, in docs/, keeps it.
export const places: readonly Place[] = [
  { file: "README.md", spots: /(?<=Node\.js from )\d+\.\d+/g, name: "node_minimum" },
  { file: "README.md", spots: /(?<=Docker Engine from )\d+\.\d+/g, name: "engine_minimum" },
  { file: "README.md", spots: /(?<=\| `consulVersion` .*`)\d[\w.-]*/g, name: "consul_version" },
  { file: "README.md", spots: /(?<=(?:server|client)-\d .*10\.87\.\S+ +)\d[\d.]+/g, name: "consul_version" },
  { file: "README.md", spots: /(?<=advisories +consul )[\d.]+/g, name: "consul_version" },
  { file: "README.md", spots: /(?<=there are Consul )[\d.]+/g, name: "consul_version" },
  { file: "README.md", spots: /(?<=toolchain\/up --consul )[\d.]+/g, name: "consul_old_version" },
  { file: "README.md", spots: /(?<=\| `monitorVersion` .*`)\d[\w.-]*/g, name: "esm_version" },
  { file: "README.md", spots: /(?<=\| `nodeVersion` .*`)\d[\w.-]*/g, name: "node_image_tag" },
  {
    file: "docs/walkthrough.md",
    spots: /(?<=(?:server|client)-\d .*10\.87\..*(?:server|client|\d) +)\d+\.\d+\.\d+\b/g,
    name: "consul_version",
  },
  { file: "docs/operations.md", spots: /(?<=consulVersion )\d[\d.]+/g, name: "consul_version" },
  { file: "docs/consul-versions.md", spots: /[\d.]+(?= +\| the default)/g, name: "consul_version" },
  { file: ".github/workflows/check.yml", spots: /(?<=node: \[")[\d.]+/g, name: "node_minimum" },
  { file: "package.json", spots: /(?<="node": ">=)[\d.]+/g, name: "node_minimum" },
  { file: "package.json", spots: /(?<="@pulumi\/docker": ")[\d.]+/g, name: "docker_plugin_version" },
  { file: "package.json", spots: /(?<="@pulumi\/consul": ")[\d.]+/g, name: "consul_plugin_version" },
  {
    file: "toolchain/go/pulumi-cli/go.mod",
    spots: /(?<=pulumi\/(?:sdk|pkg)\/v3 v)[\d.]+/g,
    name: "pulumi_version",
  },
  {
    file: "toolchain/go/pulumi-language-nodejs-front/go.mod",
    spots: /(?<=pulumi\/sdk\/v3 v)[\d.]+/g,
    name: "pulumi_version",
  },
  {
    file: "toolchain/go/pulumi/docker/main.go",
    spots: /(?<=const version = ")[\d.]+/g,
    name: "docker_plugin_version",
  },
  {
    file: "toolchain/go/pulumi/consul/main.go",
    spots: /(?<=Version: +")[\d.]+/g,
    name: "consul_plugin_version",
  },
  { file: "toolchain/images/consul-esm/Dockerfile", spots: /(?<=FROM node:)\S+/g, name: "node_image_tag" },
  { file: "toolchain/go/engine/go.mod", spots: /(?<=docker\/cli v)[\d.]+/g, name: "engine_version" },
  { file: "toolchain/README.md", spots: /(?<=Docker Engine )\d+\.[\d.]+/g, name: "engine_version" },
  {
    file: "toolchain/images/consul-esm/consul-esm.mjs",
    spots: /(?<=VERSION = ')[\d.]+/g,
    name: "esm_version",
  },
  { file: "toolchain/README.md", spots: /(?<=Pulumi CLI )[\d.]+/g, name: "pulumi_version" },
  { file: "toolchain/README.md", spots: /(?<=plugin docker )[\d.]+/g, name: "docker_plugin_version" },
  { file: "toolchain/README.md", spots: /(?<=plugin consul )[\d.]+/g, name: "consul_plugin_version" },
  { file: "toolchain/README.md", spots: /(?<=hashicorp\/consul \()[\d.]+/g, name: "consul_version" },
  {
    file: "toolchain/README.md",
    spots: /(?<=hashicorp\/consul \(.*; )[\d.]+(?= with `--consul`)/g,
    name: "consul_old_version",
  },
  { file: "toolchain/README.md", spots: /(?<=consul-esm:)[\d.]+/g, name: "esm_version" },
  { file: "toolchain/README.md", spots: /(?<=node:)\d[\w.-]+/g, name: "node_image_tag" },
  {
    file: "tests/integration/previews/another-Consul.txt",
    spots: /\d+\.\d+\.\d+(?= →)/g,
    name: "consul_version",
  },
  ...["service-added", "program-and-live-configuration"].map((report) => ({
    file: `tests/integration/previews/${report}.txt`,
    spots: /(?<=HASH-)\d[\w.-]*/g,
    name: "node_image_tag",
  })),
];

/** A file's text with the versions that belong there; throws where a place is no longer found. */
export function withVersions(file: string, text: string): string {
  return places
    .filter((place) => place.file === file)
    .reduce((changed, { spots, name }) => {
      if (changed.search(spots) === -1) throw new Error(`${file} has nothing that ${String(spots)} matches`);
      return changed.replace(spots, versionOf(name));
    }, text);
}
