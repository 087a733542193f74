// Runs on a host of several, with nothing but the socket of its engine.
//   starter-run SOCKET MARKER SECONDS LABEL…
// Every so many seconds it looks for containers with all these labels that the engine was to start and could not, starts
// them, and touches MARKER.
import { writeFileSync } from "node:fs";
import { request } from "node:http";

const [socketPath = "", marker = "", seconds = "", ...label] = process.argv.slice(1);
const STOPPED = `/containers/json?filters=${encodeURIComponent(JSON.stringify({ status: ["exited"], label }))}`;
// An engine that waits for its Swarm answers after 20 s.
const TIMEOUT_MS = 60_000;

/** A container as the engine describes it, as far as it is read here. */
interface Container {
  readonly Name: string;
  readonly State: {
    /** Why its last start failed; empty where it did not. */
    readonly Error: string;
  };
  readonly HostConfig: { readonly RestartPolicy: { readonly Name: string } };
}

/** What the engine answers: JSON, or nothing. */
function engine(method: "GET" | "POST", path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, timeout: TIMEOUT_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (body += part));
      response.on("error", reject);
      response.on("end", () => {
        if ((response.statusCode ?? 500) >= 400) reject(new Error(body.trim()));
        else resolve(body === "" ? undefined : JSON.parse(body));
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on("error", reject);
    call.end();
  });
}

async function look(): Promise<void> {
  const stopped = (await engine("GET", STOPPED)) as readonly { readonly Id: string }[];
  writeFileSync(marker, "");
  // One after the other: containers that join a network at the same time are what makes an engine fail.
  for (const { Id } of stopped) await start(Id).catch(say);
}

async function start(id: string): Promise<void> {
  const { Name, State, HostConfig } = (await engine("GET", `/containers/${id}/json`)) as Container;
  // Without an error somebody has stopped it.
  if (State.Error === "" || HostConfig.RestartPolicy.Name !== "always") return;
  say(`starting ${Name.slice(1)}, since the engine could not: ${State.Error}`);
  await engine("POST", `/containers/${id}/start`);
}

function say(message: unknown): void {
  console.log(`${new Date().toISOString()} ${message instanceof Error ? message.message : String(message)}`);
}

async function keepLooking(): Promise<never> {
  for (;;) {
    await look().catch(say);
    await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  }
}

// The first process of a container ignores signals that it does not handle.
process.once("SIGTERM", () => process.exit());
void keepLooking();
