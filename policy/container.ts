import { list, table, text, type Resource } from "./resource";

type Props = Resource["props"];

/** Whether a container is meant to stay up: one that is started again, or that has to run. */
export function staysUp({ mustRun, restart }: Props): boolean {
  return mustRun !== false || isRestarted(restart);
}

/** Whether anything of a container ever runs: one that only carries files is created and never started. */
export function runs({ start, restart }: Props): boolean {
  return start !== false || isRestarted(restart);
}

function isRestarted(restart: unknown): boolean {
  return restart !== undefined && restart !== "no";
}

/** Labels of a container, volume or network, those with unknown values too. */
export function labelsOf({ labels }: Props): Map<string, unknown> {
  return new Map(
    list(labels).map((entry) => {
      const { label, value } = table(entry);
      return [text(label) ?? "", value];
    }),
  );
}

/** Environment of a container, as far as it is known. */
export function environmentOf({ envs }: Props): Map<string, string> {
  return new Map(
    list(envs)
      .map(text)
      .filter((entry) => entry !== undefined)
      .map((entry) => {
        const [name = ""] = entry.split("=", 1);
        return [name, entry.slice(name.length + 1)];
      }),
  );
}

/** What the container does for the datacenter, by its label. */
export function roleOf(props: Props): unknown {
  return labelsOf(props).get("consul-docker.role");
}
