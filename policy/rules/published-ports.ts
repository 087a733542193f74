import { environmentOf, roleOf } from "../container";
import { called, CONTAINER, list, table, text, UNKNOWN, type Resource } from "../resource";
import type { StackRule } from "../rule";

/** What other machines reach is protected: by HTTPS and tokens where it is Consul, and never beside an open datacenter. */
export const publishedPorts: StackRule = {
  name: "published-ports",
  description: "A port is published beyond loopback only where the datacenter has ACLs and its API is HTTPS.",
  faults: (resources) => {
    const containers = resources.filter(({ type }) => type === CONTAINER);
    const open = [...new Set(containers.flatMap(weaknesses))].join(" and ");
    if (open === "") return [];
    return containers.flatMap((container) =>
      exposures(container).map(({ port, ip }): [string, string] => [
        `${called(container)} must publish port ${port} on loopback while ${open}, got ${ip}; set its ip to 127.0.0.1, or consul-docker:https to true and consul-docker:insecure to false, and put a proxy with TLS before a service, whose own port is plain HTTP`,
        container.urn,
      ]),
    );
  },
};

/** The ports that the container publishes to other machines; without an address, Docker takes all of the host's. */
function exposures({ props }: Resource): { port: string; ip: string }[] {
  return list(props["ports"])
    .map(table)
    .filter(({ ip }) => ip !== UNKNOWN && !isLoopback(text(ip) ?? ""))
    .map(({ ip, external, internal }) => ({
      port: String(external ?? internal),
      ip: text(ip) ?? "no address, which is all of the host's",
    }));
}

function isLoopback(ip: string): boolean {
  return /^127(?:\.\d+){3}$|^::1$/.test(ip);
}

/** What leaves the datacenter open, by the configuration of one of its agents. */
function weaknesses({ props }: Resource): string[] {
  const role = roleOf(props);
  const config = configurationOf(props);
  if ((role !== "server" && role !== "client") || config === UNKNOWN) return [];
  const acl = table(config["acl"]);
  const publishes = list(props["ports"]).length > 0;
  return [
    ...(acl["enabled"] === true && acl["default_policy"] === "deny" ? [] : ["Consul has no ACLs"]),
    ...(publishes && !isHttpsAlone(config) ? ["its API is plain HTTP"] : []),
  ];
}

/** The agent's configuration, which its container has in an environment variable. */
function configurationOf(props: Resource["props"]): Readonly<Record<string, unknown>> | typeof UNKNOWN {
  if (props["envs"] === UNKNOWN || list(props["envs"]).includes(UNKNOWN)) return UNKNOWN;
  try {
    return table(JSON.parse(environmentOf(props).get("CONSUL_LOCAL_CONFIG") ?? "{}"));
  } catch {
    return {};
  }
}

/** Plain HTTP may stay inside the container, for its health check. */
function isHttpsAlone(config: Readonly<Record<string, unknown>>): boolean {
  const ports = table(config["ports"]);
  const https = ports["https"];
  // Several, with a space between them; a socket is no port.
  const plain = (text(table(config["addresses"])["http"]) ?? "0.0.0.0").split(" ");
  const isPlainInside =
    plain.every((address) => isLoopback(address) || address.startsWith("unix://")) || ports["http"] === -1;
  return typeof https === "number" && https > 0 && isPlainInside;
}
