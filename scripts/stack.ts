import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SnapshotPlan } from "../components/snapshots";
import type { Engine } from "../engine";
import { answeringUrl } from "./api-url";

/** The Pulumi CLI as set-up left it, with the dev stack's passphrase unless another is set. */
export const PULUMI = join(__dirname, "pulumi-launcher");

/** The stack's outputs that the commands use. */
export interface StackOutputs {
  readonly datacenter: string;
  readonly uiUrl: string;
  readonly httpApiUrl: string;
  /** Certificate of the authority that the API's is verified by, in PEM; with access control only. */
  readonly caCertificate?: string;
  /** When each certificate expires, by whose it is; with access control only. */
  readonly certificateExpiries?: Readonly<Record<string, string>>;
  /** Token that may do everything; with access control only. */
  readonly managementToken?: string;
  /** How often snapshots are taken, and how many are kept; where they are. */
  readonly snapshots?: SnapshotPlan;
  /** Names of the health monitors. */
  readonly monitors: readonly string[];
  readonly gatewayUrl?: string;
  readonly dnsAddress: string;
  /** The hosts, each with its engine; undefined where there is one engine. */
  readonly hosts?: readonly Engine[];
}

/** Runs the Pulumi CLI on this terminal; resolves to its exit code. */
export function pulumi(...args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(PULUMI, args, { stdio: "inherit" });
    // Ctrl-C reaches the CLI, too, which then stops in order; leaving before it would hide how that went.
    process.on("SIGINT", () => undefined);
    child.on("error", reject).on("exit", (code) => {
      resolve(code ?? 1);
    });
  });
}

/** Standard output of the Pulumi CLI; throws an Error of one line when it fails. */
export async function capture(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(PULUMI, args, { maxBuffer: 256 * 1024 * 1024 }).catch(
    (error: unknown) => {
      throw new Error((error as { stderr: string }).stderr.trim().split("\n")[0]);
    },
  );
  return stdout;
}

/** Outputs of the selected stack, secrets in plain, with the API at a host that is there; throws an Error of one line when it is not up. */
export async function stackOutputs(): Promise<StackOutputs> {
  const outputs = JSON.parse(
    await capture("stack", "output", "--json", "--show-secrets"),
  ) as Partial<StackOutputs>;
  if (outputs.httpApiUrl === undefined) throw new Error("the stack is not up; npm run up brings it up");
  const found = outputs as StackOutputs;
  return { ...found, httpApiUrl: await answeringUrl(found) };
}

/** Name of the selected stack. */
export async function stackName(): Promise<string> {
  return (await capture("stack", "--show-name")).trim();
}

/** Throws an Error of one line when the stack file or the program says what is not applied yet. */
export async function expectNoChanges(options: readonly string[]): Promise<void> {
  console.log("looking for changes that are not applied yet");
  await capture("preview", "--expect-no-changes", ...options).catch(() => {
    throw new Error(
      "the stack file or the program has changes that are not applied; npm run up applies them",
    );
  });
}

/** Runs a command's main function; an Error ends it with one line and exit code 1. */
export function main(run: () => Promise<number>): void {
  const fail = (error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    return 1;
  };
  void run()
    .catch(fail)
    .then((code) => (process.exitCode = code));
}
