/** A container as the engine describes it, as far as Compose has to say the same of its own. */
export interface Deployed {
  readonly Name: string;
  readonly Image: string;
  readonly Config: {
    readonly Hostname: string;
    readonly User: string;
    readonly Env: readonly string[];
    readonly Cmd: readonly string[] | null;
    readonly Entrypoint: readonly string[] | null;
    readonly Labels: Readonly<Record<string, string>>;
    readonly StopTimeout?: number;
    readonly Healthcheck?: {
      readonly Test: readonly string[];
      readonly Interval: number;
      readonly Timeout: number;
    };
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly Tmpfs: Readonly<Record<string, string>> | null;
    readonly Dns: readonly string[] | null;
    readonly PortBindings: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>> | null;
    readonly Ulimits: readonly { Name: string; Soft: number; Hard: number }[] | null;
    readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  };
  readonly Mounts: readonly { Type: string; Name?: string; Destination: string; RW: boolean }[];
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAMConfig: { readonly IPv4Address?: string } | null }>
    >;
  };
}

/** Whom each role waits for. */
const WAITS_FOR: Readonly<Record<string, string>> = {
  client: "server",
  monitor: "client",
  service: "client",
};

/** The Compose file, in JSON's part of YAML, that a user of Compose would write for these containers. */
export function composeFile(containers: readonly Deployed[], subnet: string): object {
  const running = containers.filter((container) => roleOf(container) !== "secrets");
  const names = (role: string | undefined) =>
    running.filter((container) => roleOf(container) === role).map(({ Config }) => Config.Hostname);
  const volumes = running.flatMap(({ Mounts }) =>
    Mounts.flatMap(({ Name, RW }) => (isNamed(Name) && RW ? [Name] : [])),
  );
  return {
    services: Object.fromEntries(
      running.map((container) => [
        container.Config.Hostname,
        service(container, names(WAITS_FOR[roleOf(container)])),
      ]),
    ),
    networks: { default: { ipam: { config: [{ subnet }] } } },
    volumes: Object.fromEntries(volumes.map((name) => [name, {}])),
  };
}

/** The folders with files that the containers read: Compose mounts a copy of each. */
export function folders(containers: readonly Deployed[]): { container: string; path: string }[] {
  return containers.flatMap((container) =>
    roleOf(container) === "secrets"
      ? []
      : container.Mounts.filter(({ Name, RW }) => isNamed(Name) && !RW).map(({ Destination }) => ({
          container: nameOf(container),
          path: Destination,
        })),
  );
}

function service(container: Deployed, waitsFor: readonly string[]): object {
  const { Config, HostConfig, Mounts, NetworkSettings } = container;
  const { Healthcheck: health } = Config;
  const [network] = Object.values(NetworkSettings.Networks);
  const address = network?.IPAMConfig?.IPv4Address;
  return {
    image: container.Image,
    container_name: nameOf(container),
    hostname: Config.Hostname,
    user: Config.User,
    entrypoint: literal(Config.Entrypoint),
    command: literal(Config.Cmd),
    environment: literal(Config.Env),
    restart: "always",
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.Memory,
    ulimits: Object.fromEntries(
      (HostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => [Name, { soft: Soft, hard: Hard }]),
    ),
    logging: { driver: HostConfig.LogConfig.Type, options: HostConfig.LogConfig.Config },
    stop_grace_period: `${Config.StopTimeout ?? 10}s`,
    tmpfs: Object.entries(HostConfig.Tmpfs ?? {}).map(([path, options]) => `${path}:${options}`),
    volumes: Mounts.flatMap(({ Name, Destination, RW }) =>
      !isNamed(Name)
        ? []
        : [RW ? `${Name}:${Destination}` : `./${nameOf(container)}${Destination}:${Destination}:ro`],
    ),
    ports: Object.entries(HostConfig.PortBindings ?? {}).flatMap(([inside, bindings]) =>
      bindings.map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}:${inside}`),
    ),
    ...(HostConfig.Dns?.length ? { dns: HostConfig.Dns } : {}),
    networks: { default: address === undefined ? {} : { ipv4_address: address } },
    ...(health === undefined
      ? {}
      : {
          healthcheck: {
            test: literal(health.Test),
            interval: seconds(health.Interval),
            timeout: seconds(health.Timeout),
            // Pulumi waits on when a server is unhealthy during the first election; Compose gives up then.
            retries: 60,
          },
        }),
    depends_on: Object.fromEntries(waitsFor.map((name) => [name, { condition: "service_healthy" }])),
  };
}

/** Compose puts variables in the place of a dollar. */
function literal(words: readonly string[] | null): string[] | undefined {
  return words?.map((word) => word.replaceAll("$", "$$$$"));
}

/** Whether a volume has a name of its own: the image asks for others, which the engine names by a hash. */
function isNamed(name: string | undefined): name is string {
  return name !== undefined && !/^[0-9a-f]{64}$/.test(name);
}

const seconds = (nanoseconds: number) => `${nanoseconds / 1e9}s`;
const roleOf = ({ Config }: Deployed) => Config.Labels["consul-docker.role"] ?? "";
const nameOf = ({ Name }: Deployed) => Name.slice(1);
