import { spawn } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NAMESPACE } from "../settings/faults";
import type { ConsulApiArgs } from "./consul-api";
import { capture, PULUMI, pulumi, stackName } from "./stack";

/** A resource in an exported state, as far as it is read here. */
interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: { readonly output?: Secret };
}

interface Secret {
  /** The value in JSON. */
  readonly plaintext: string;
}

/** The values that the stack keeps in its state, by their names. */
export async function keptSecrets(): Promise<Map<string, unknown>> {
  return new Map(
    (await resources("--show-secrets")).flatMap(({ urn, type, outputs }) =>
      type === "pulumi:index:Stash" && outputs?.output !== undefined
        ? [[urn.split("::").at(-1) ?? "", JSON.parse(outputs.output.plaintext)]]
        : [],
    ),
  );
}

/** IDs of the ACL tokens and policies that are the stack's. */
export async function aclIds(): Promise<Set<string>> {
  const ACL = ["consul:index/aclToken:AclToken", "consul:index/aclPolicy:AclPolicy"];
  return new Set((await resources()).flatMap(({ type, id }) => (ACL.includes(type) && id ? [id] : [])));
}

/** How Pulumi's providers of Consul, which have a token, are let in; `args` are Pulumi's, which may name a stack. */
export async function consulProviders(args: readonly string[]): Promise<ConsulApiArgs[]> {
  const { values } = parseArgs({
    args: [...args],
    options: { stack: { type: "string", short: "s" } },
    strict: false,
  });
  const stack = typeof values.stack === "string" ? ["--stack", values.stack] : [];
  return (await resources("--show-secrets", ...stack))
    .filter(({ type, inputs }) => type === "pulumi:providers:consul" && inputs?.["token"] !== undefined)
    .map(({ inputs = {} }) => ({
      httpApiUrl: `${plain(inputs["scheme"])}://${plain(inputs["address"])}`,
      managementToken: plain(inputs["token"]),
      ...(inputs["caPem"] === undefined ? {} : { caCertificate: plain(inputs["caPem"]) }),
    }));
}

/** A text of the state, which may be a secret. */
function plain(text: unknown): string {
  return typeof text === "string" ? text : (JSON.parse((text as Secret).plaintext) as string);
}

async function resources(...options: readonly string[]): Promise<readonly Resource[]> {
  const { deployment } = JSON.parse(await capture("stack", "export", ...options)) as {
    readonly deployment: { readonly resources?: readonly Resource[] };
  };
  return deployment.resources ?? [];
}

/**
 * Runs `pulumi up` with secret settings that this one run shall have beside those of the stack file, which stays as it
 * is: the state keeps them. Resolves to the exit code.
 */
export async function upWith(
  settings: Readonly<Record<string, string>>,
  options: readonly string[],
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "consul-docker-rotate-"));
  try {
    const given = options.indexOf("--config-file");
    const rest = given === -1 ? options : options.toSpliced(given, 2);
    const own = options[given + 1] ?? "";
    const file = join(folder, "stack.yaml");
    await copyFile(given === -1 ? `Pulumi.${await stackName()}.yaml` : own, file);
    for (const [setting, value] of Object.entries(settings))
      await setSecret(`${NAMESPACE}:${setting}`, value, file);
    return await pulumi(
      "up",
      "--yes",
      "--skip-preview",
      "--suppress-outputs",
      "--config-file",
      file,
      ...rest,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The value goes through standard input: an argument would be in the host's list of processes. */
function setSecret(key: string, value: string, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(PULUMI, ["config", "set", "--secret", key, "--config-file", file], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.on("error", reject).on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`pulumi config set ${key} failed`));
    });
    child.stdin.end(value);
  });
}
