import { endpointOptions, type Endpoint } from "../../engine";
import type { Facts } from "./facts";
import type { Finding } from "./finding";
import { valueOf } from "./answer";

/** The same findings, but each docker command in an advice is for the engine of the containers that it names. */
export function atHosts(findings: readonly Finding[], engines: ReadonlyMap<string, Endpoint>): Finding[] {
  return findings.map((finding) => ({
    ...finding,
    problems: finding.problems.map(({ what, advice }) => ({ what, advice: forEngines(advice, engines) })),
  }));
}

/** The engine of each container of a stack with several hosts, by the container's name; none of another stack's. */
export function enginesByContainer({ state, stack }: Facts): Map<string, Endpoint> {
  const { containers: declared = [], outputs: { hosts = [] } = {} } = valueOf(state) ?? {};
  const found = stack === undefined ? [] : (valueOf(stack.containers) ?? []);
  return new Map([
    ...declared.flatMap(({ name, host }): [string, Endpoint][] =>
      hosts.filter((one) => one.name === host).map((engine) => [name, engine]),
    ),
    ...found.flatMap(({ name, engine }): [string, Endpoint][] =>
      engine === undefined ? [] : [[name, engine]],
    ),
  ]);
}

function forEngines(advice: string, engines: ReadonlyMap<string, Endpoint>): string {
  return advice.replace(/\bdocker ([^;,&|]*)/g, (command, words: string) => {
    const named = words.split(" ").filter((word) => engines.has(word));
    if (named.length === 0) return command;
    const others = words.split(" ").filter((word) => word !== "" && !named.includes(word));
    // Of several containers, each may be elsewhere.
    const commands =
      named.length === 1
        ? [[named[0] ?? "", words.trimEnd()]]
        : named.map((name) => [name, [...others, name].join(" ")]);
    const end = /\s*$/.exec(words)?.[0] ?? "";
    return `${commands
      .map(([name = "", text = ""]) =>
        ["docker", ...endpointOptions(engines.get(name) ?? {}), text].join(" "),
      )
      .join(" && ")}${end}`;
  });
}
