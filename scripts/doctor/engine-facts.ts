import { labelFilters, type Owner, type Role } from "../../components/container";
import type { Endpoint } from "../../engine";
import type { Container } from "./containers";
import type { Engine } from "./engine";
import { docker } from "./tool";

/** What the engine says of itself, and what its clock shows. */
export interface EngineFacts extends Engine {
  /** Milliseconds since 1970. */
  readonly shown: number;
  /** This machine's clock before the question and after the answer. */
  readonly asked: number;
  readonly answered: number;
}

/** What the engines say; of several, the first, but all must answer. */
export async function readEngines(engines: readonly Endpoint[]): Promise<EngineFacts> {
  const [first] = (await Promise.all(
    engines.map((engine) =>
      readEngine(engine).catch((error: unknown) => {
        const { message } = error as Error;
        throw new Error(engine.name === undefined ? message : `that of ${engine.name}, ${message}`);
      }),
    ),
  )) as [EngineFacts];
  return first;
}

async function readEngine(engine: Endpoint): Promise<EngineFacts> {
  const asked = Date.now();
  const info = JSON.parse(await docker(engine, "info", "--format", "{{json .}}")) as {
    readonly ServerVersion?: string;
    readonly OSType?: string;
    readonly Architecture?: string;
    readonly SystemTime?: string;
    readonly ServerErrors?: readonly string[];
  };
  // Older clients call it a success when no engine answers them.
  const [failure] = info.ServerErrors ?? [];
  if (failure !== undefined) throw new Error(failure.split("\n")[0]);
  return {
    version: info.ServerVersion ?? "",
    system: `${info.OSType ?? ""}/${info.Architecture ?? ""}`,
    shown: Date.parse(info.SystemTime ?? ""),
    asked,
    answered: Date.now(),
  };
}

interface Inspected {
  readonly Name: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: { readonly Memory: number };
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Health?: {
      readonly Status: string;
      readonly Log: readonly { readonly Output: string }[] | null;
    };
  };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
}

/** The containers that carry the stack's labels, running or not; with several hosts, without those that Swarm runs. */
export async function readContainers(engines: readonly Endpoint[], owner: Owner): Promise<Container[]> {
  const read = await Promise.all(
    engines.map(async (engine) => {
      const ids = lines(await docker(engine, "ps", "-aq", "--no-trunc", ...labelFilters(owner)));
      if (ids.length === 0) return [];
      const own = (JSON.parse(await docker(engine, "container", "inspect", ...ids)) as Inspected[]).map(
        container,
      );
      return engine.name === undefined
        ? own
        : own.filter(({ role }) => role !== "service").map((one) => ({ ...one, engine }));
    }),
  );
  return read.flat();
}

/** Names of the networks that carry the stack's labels. */
export async function readNetworks(engines: readonly Endpoint[], owner: Owner): Promise<string[]> {
  const list = ["network", "ls", "--format", "{{.Name}}", ...labelFilters(owner)];
  const read = await Promise.all(engines.map(async (engine) => lines(await docker(engine, ...list))));
  return [...new Set(read.flat())];
}

function container({ Name, Config, HostConfig, RestartCount, State, NetworkSettings }: Inspected): Container {
  return {
    name: Name.slice(1),
    role: Config.Labels["consul-docker.role"] as Role,
    status: State.Status,
    exitCode: State.ExitCode,
    outOfMemory: State.OOMKilled,
    restarts: RestartCount,
    memoryMb: HostConfig.Memory / 2 ** 20,
    health:
      State.Health === undefined
        ? undefined
        : {
            status: State.Health.Status,
            output: State.Health.Log?.at(-1)?.Output.trim().split("\n")[0] ?? "",
          },
    networks: Object.keys(NetworkSettings.Networks),
  };
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean);
}
