import { list, nounOf } from "./kinds";
import type { PlannedResource } from "./plan";

type Arguments = Readonly<Record<string, unknown>>;

/** What a change opens, a line each: ports of the host, privileges of containers, rights in Consul. */
export function openings(resources: readonly PlannedResource[]): string[] {
  return resources.flatMap((resource) => {
    const { name, before = {}, after } = resource;
    if (after === undefined) return [];
    const opened = OPENINGS[nounOf(resource)] ?? rightOpenings;
    const known = new Set(opened(before));
    return opened(after)
      .filter((opening) => !known.has(opening))
      .map((opening) => `${name}: ${opening}`);
  });
}

function containerOpenings(of: Arguments): string[] {
  const { capabilities = {}, user } = of as { capabilities?: { adds?: unknown }; user?: string };
  return [
    ...list<Port>(of["ports"]).map(portOpening),
    ...list<string>(capabilities.adds).map((capability) => `capability ${capability}`),
    ...(of["privileged"] === true ? ["all privileges on the host"] : []),
    ...(of["networkMode"] === "host" ? ["the host's own network"] : []),
    ...(user !== undefined && /^(0|root)(:|$)/.test(user) ? ["runs as root"] : []),
    ...(of["readOnly"] === false ? ["may write to its own files"] : []),
    ...list<{ hostPath?: string }>(of["volumes"])
      .filter(({ hostPath }) => hostPath !== undefined && hostPath !== "")
      .map(({ hostPath }) => `the host's ${hostPath ?? ""}`),
  ];
}

/** The same of a Swarm service, whose ports are those of every address. */
function serviceOpenings(of: Arguments): string[] {
  const { taskSpec = {}, endpointSpec = {} } = of as {
    taskSpec?: { containerSpec?: Record<string, unknown> };
    endpointSpec?: { ports?: unknown };
  };
  const { capAdds, mounts, ...container } = taskSpec.containerSpec ?? {};
  return containerOpenings({
    ...container,
    capabilities: { adds: capAdds },
    ports: list<ServicePort>(endpointSpec.ports).map(({ targetPort, publishedPort, protocol }) => ({
      internal: targetPort,
      external: publishedPort,
      protocol,
    })),
    volumes: list<{ type: string; source?: string }>(mounts)
      .filter(({ type }) => type === "bind")
      .map(({ source }) => ({ hostPath: source })),
  });
}

const OPENINGS: Readonly<Record<string, (of: Arguments) => string[]>> = {
  container: containerOpenings,
  service: serviceOpenings,
};

interface ServicePort {
  readonly targetPort: number;
  readonly publishedPort?: number;
  readonly protocol?: string;
}

interface Port {
  readonly internal: number;
  readonly external?: number;
  readonly ip?: string;
  readonly protocol?: string;
}

function portOpening({ internal, external, ip = "0.0.0.0", protocol = "tcp" }: Port): string {
  const reach = ip.startsWith("127.") ? "from this host alone" : "FROM OTHER HOSTS, TOO";
  return `port ${ip}:${external ?? "any"}/${protocol} leads to its ${internal}, ${reach}`;
}

/** The rules of a policy, each in a line. */
function rightOpenings(of: Arguments): string[] {
  const { rules } = of as { rules?: unknown };
  if (typeof rules !== "string") return [];
  return rules
    .replace(/\s+/g, " ")
    .split("}")
    .map((rule) => rule.trim())
    .filter((rule) => rule !== "" && !rule.includes('"deny"'))
    .map((rule) => `right ${rule} }`);
}
