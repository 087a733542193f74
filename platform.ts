import * as pulumi from "@pulumi/pulumi";
import { singleEngine, type Platform } from "./components/platform";
import { swarm } from "./components/swarm";
import { passesPing, standIn } from "./preview-engine";
import type { Settings } from "./settings/schema";

/** What the settings run the datacenter on. */
export async function platformOf(settings: Settings): Promise<Platform> {
  if (settings.hosts.length === 0) return singleEngine(settings.bindAddress);
  const platform = swarm(settings.hosts, settings.registry, await standInsFor(settings.hosts));
  const warning = lossOf(settings.servers, platform);
  if (warning !== undefined) void pulumi.log.warn(warning);
  return platform;
}

/** Stand-ins for the engines that do not answer, by their hosts' names: a preview needs none, but the plugin pings each. */
async function standInsFor(hosts: Settings["hosts"]): Promise<Map<string, string>> {
  if (!pulumi.runtime.isDryRun()) return new Map();
  const answering = await Promise.all(hosts.map(passesPing));
  const silent = hosts.filter((_, index) => !answering[index]).map(({ name }) => name);
  if (silent.length === 0) return new Map();
  void pulumi.log.warn(
    `no engine answers on ${silent.join(", ")}: previewed from the state alone, without ${silent.length === 1 ? "it" : "them"}`,
  );
  const { endpoint } = await standIn();
  return new Map(silent.map((name) => [name, endpoint]));
}

/** What losing one host would mean for the servers; undefined where it takes one of them at most. */
export function lossOf(servers: number, { place }: Pick<Platform, "place">): string | undefined {
  const on = new Map<string, number>();
  for (const { name = "" } of place(servers)) on.set(name, (on.get(name) ?? 0) + 1);
  const [host, most] = [...on].reduce((a, b) => (b[1] > a[1] ? b : a));
  if (most === 1) return undefined;
  const where = on.size === 1 ? "one host" : `${on.size} hosts`;
  const rest =
    (servers - most) * 2 > servers
      ? "leave the majority, which could lose no more"
      : "with them the majority: the datacenter would stand still until it is back";
  return `${servers} servers run on ${where}: losing ${host} would take ${most} of them, and ${rest}`;
}
