import { runs } from "../container";
import { called, CONTAINER, list, table, text, UNKNOWN, type Resource } from "../resource";
import type { ResourceRule } from "../rule";

const HOST_MODES = ["networkMode", "pidMode", "ipcMode", "usernsMode"] as const;

/** No container may do to the host what the host's own root may. */
export const privileges: ResourceRule = {
  name: "privileges",
  description:
    "No container runs as root, with privileges, in the host's namespaces or with the engine's socket, but a starter.",
  faults: (resource) => {
    if (resource.type !== CONTAINER) return [];
    const { props } = resource;
    const roots = isStarter(resource) ? [] : [...identity(props), ...socket(props)];
    return [...roots, ...rights(props), ...reach(props)].map((fault) => `${called(resource)} ${fault}`);
  },
};

/** It is there to start what the engine does not, for which it needs the socket; nobody reaches it. */
function isStarter({ urn, props }: Resource): boolean {
  return urn.includes(`:consul-docker:index:Starter$${CONTAINER}:`) && props["networkMode"] === "none";
}

function identity(props: Resource["props"]): string[] {
  const { user } = props;
  if (!runs(props) || user === UNKNOWN) return [];
  const name = text(user)?.split(":")[0] ?? "";
  return name === "" || name === "root" || /^0+$/.test(name)
    ? [`must not run as root, got ${name === "" ? "no user" : `user "${name}"`}; set user, as in "1000:1000"`]
    : [];
}

function rights({ privileged, capabilities }: Resource["props"]): string[] {
  const added = list(table(capabilities)["adds"]).map(String);
  return [
    ...(privileged === true ? ["must not be privileged; take privileged out"] : []),
    ...(added.length > 0
      ? [`must add no capability, got ${added.join(", ")}; take capabilities.adds out`]
      : []),
  ];
}

function reach(props: Resource["props"]): string[] {
  const networks = list(props["networksAdvanced"]).map((network) => table(network)["name"]);
  return [
    ...HOST_MODES.filter((mode) => props[mode] === "host").map(
      (mode) => `must not share a namespace of the host, got ${mode} "host"; take ${mode} out`,
    ),
    ...(networks.includes("host")
      ? ['must not share a namespace of the host, got the network "host"; join the network of the datacenter']
      : []),
  ];
}

function socket({ volumes, mounts }: Resource["props"]): string[] {
  const sources = [
    ...list(volumes).map((volume) => table(volume)["hostPath"]),
    ...list(mounts).map((mount) => table(mount)["source"]),
  ];
  return sources
    .map(text)
    .filter((source) => source !== undefined)
    .filter(holdsSocket)
    .map(
      (source) =>
        `must not reach the engine's socket, got a mount of "${source}"; who has it is root on the host: take it out`,
    );
}

/** The socket itself, or a folder above it. */
function holdsSocket(source: string): boolean {
  return /\/(?:docker|containerd|podman)\.sock$|^\/+(?:(?:var\/+)?run\/*|var\/*)?$/.test(source);
}
