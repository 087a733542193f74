import { SECRETS_FOLDER } from "../../components/agent";
import type { Container } from "./containers";
import { docker } from "./tool";

/** An agent's own answers, asked inside its container. */
export interface Inside {
  /** Its clock, in milliseconds since 1970, without fractions of a second. */
  readonly shown: number;
  /** Its answers, in the order of the paths. */
  readonly bodies: readonly unknown[];
}

// Between the answers: no JSON has it.
const SEPARATOR = "\u001e";

// The agent's API inside its container is plain HTTP on loopback, and its token is a file there: in an argument, it would be
// in the host's list of processes. An agent that stands still is not waited for.
const SCRIPT = `date +%s
for path; do
  printf '\\036'
  printf 'GET /v1/%s HTTP/1.0\\r\\nX-Consul-Token: %s\\r\\n\\r\\n' "$path" "$(cat ${SECRETS_FOLDER}/management-token 2>/dev/null)" |
    timeout 5 nc 127.0.0.1 8500
done`;

/** Asks the agent in `container` for its clock and for what is under `/v1/PATH`; throws an Error of one line. */
export async function askInside(
  { name: container, engine = {} }: Pick<Container, "name" | "engine">,
  paths: readonly string[],
): Promise<Inside> {
  return parseInside(await docker(engine, "exec", container, "sh", "-c", SCRIPT, "sh", ...paths));
}

/** Reads what the script writes. */
export function parseInside(output: string): Inside {
  const [seconds = "", ...answers] = output.split(SEPARATOR);
  return { shown: Number(seconds) * 1000, bodies: answers.map(body) };
}

function body(answer: string): unknown {
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const status = /^HTTP\/1\.\d (\d+)/.exec(head)?.[1];
  if (status === undefined) throw new Error("the agent does not answer");
  const text = rest.join("\r\n\r\n").trim();
  if (status !== "200") throw new Error(`Consul answers ${status}: ${text}`);
  return JSON.parse(text);
}
