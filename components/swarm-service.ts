import type * as docker from "@pulumi/docker";
import { healthcheck, labelList, physicalName, START_INTERVAL_SECONDS, UNPRIVILEGED } from "./container";
import { goDuration } from "./duration";
import type { InstanceSpec } from "./platform";

/** Arguments of the Swarm service that runs one instance. */
export function serviceArgs(spec: InstanceSpec): docker.ServiceArgs {
  const {
    owner,
    role,
    attachment,
    publish,
    host,
    avoid = [],
    startIntervalSeconds = START_INTERVAL_SECONDS,
  } = spec;
  const check = healthcheck(spec);
  return {
    name: physicalName(owner, attachment.alias),
    labels: labelList(owner, role),
    mode: { replicated: { replicas: 1 } },
    taskSpec: {
      containerSpec: {
        image: spec.imageId,
        hostname: attachment.alias,
        user: spec.user,
        readOnly: true,
        capDrops: [...UNPRIVILEGED.capabilities.drops],
        env: Object.fromEntries(spec.envs.map(variable)),
        dnsConfig: { nameservers: [...spec.dns] },
        labels: labelList(owner, role),
        healthcheck: {
          ...check,
          timeout: shortened(check.timeout),
          // Swarm replaces what is not healthy, and what starts may have to wait for others. No start period: in one, an
          // engine from version 25 on checks every five seconds, and the provider cannot tell it otherwise.
          retries: Math.ceil(spec.readyTimeoutSeconds / startIntervalSeconds),
        },
        mounts: [
          { type: "tmpfs", target: "/tmp", tmpfsOptions: { sizeBytes: 16 * 1024 * 1024 } },
          ...Object.entries(spec.volumes ?? {}).map(([target, { volumeName, readOnly }]) => ({
            type: "volume",
            target,
            source: volumeName,
            readOnly,
          })),
        ],
        // As long the provider waits until a deleted service's container is gone, then fails: which takes longer than its stop.
        stopGracePeriod: shortened(goDuration(2 * spec.stopTimeoutSeconds)),
      },
      logDriver: { name: UNPRIVILEGED.logDriver, options: UNPRIVILEGED.logOpts },
      networksAdvanceds: [{ id: attachment.networkId, aliases: [attachment.alias] }],
      placement: {
        constraints: [
          ...(host === undefined ? [] : [`node.hostname==${host}`]),
          ...avoid.map((name) => `node.hostname!=${name}`),
        ],
      },
      resources: { limits: { memoryBytes: spec.memoryMb * 1024 * 1024 } },
      // Without a window of its own, the provider's default differs for ever.
      restartPolicy: { condition: "any", delay: "1s", window: "0s" },
    },
    endpointSpec: {
      // By the container's own address: neither virtual addresses nor the routing mesh stand between.
      mode: "dnsrr",
      ports:
        publish === undefined
          ? []
          : [
              {
                targetPort: publish.internal,
                publishedPort: publish.external,
                publishMode: "host",
                protocol: "tcp",
              },
            ],
    },
    // A changed one has to end first.
    convergeConfig: {
      delay: "1s",
      timeout: goDuration(2 * spec.stopTimeoutSeconds + spec.readyTimeoutSeconds),
    },
  };
}

/** As the provider reads durations of services back: without minutes and seconds that are none. */
function shortened(duration: string): string {
  return duration.replace(/m0s$/, "m").replace(/h0m$/, "h");
}

function variable(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
