import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { deserializeProperties, isRpcSecret, unwrapRpcSecret } from "@pulumi/pulumi/runtime/rpc";

/** What a program asked the engine to create, as the engine received it. */
export interface Registration {
  /** Kind and logical name, as `docker.Container server-1`: how other registrations refer to this one. */
  readonly ref: string;
  /** Secrets in plain. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Names of the inputs that are secret, or have a secret within. */
  readonly secretInputs: readonly string[];
  /** The inputs that come from another resource, each with the resources. */
  readonly inputsFrom: Readonly<Record<string, readonly string[]>>;
  readonly parent: string;
  /** Everything it waits for, its inputs' resources included. */
  readonly dependencies: readonly string[];
  readonly deletedWith: string;
  readonly replaceOnChanges: readonly string[];
  readonly ignoreChanges: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
  readonly deleteBeforeReplace: boolean;
  readonly provider: string;
}

/** A function of a provider that a program called. */
export interface Call {
  readonly token: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly provider: string;
}

/** What provider functions answer, by their tokens. */
export type Answers = Readonly<Record<string, (inputs: Call["inputs"]) => Record<string, unknown>>>;

/** What a component asked for when it was created. */
export interface Created<T> {
  readonly component: T;
  /** Every call of a provider's function, in their order. */
  readonly calls: readonly Call[];
  /** Every registration, in the order in which they arrived, the component's own first. */
  readonly registrations: readonly Registration[];
  /** The one registration with this `ref`; throws when there is none or more than one. */
  readonly get: (ref: string) => Registration;
  /** The refs of all registrations, in their order. */
  readonly refs: readonly string[];
}

// What a provider adds to a resource's inputs.
const OUTPUTS: Readonly<Record<string, (name: string, inputs: Registration["inputs"]) => object>> = {
  "pulumi:index:Stash": (_name, { input }) => ({ output: input }),
  "consul:index/aclPolicy:AclPolicy": () => ({}),
  "consul:index/aclToken:AclToken": (name) => ({ accessorId: accessorOf(name) }),
  "docker:index/network:Network": () => ({ scope: "local" }),
  "docker:index/volume:Volume": () => ({ mountpoint: "/var/lib/docker/volumes" }),
  "docker:index/container:Container": () => ({ bridge: "" }),
  "docker:index/service:Service": () => ({}),
  "docker:index/registryImage:RegistryImage": (name) => ({ sha256Digest: `sha256:pushed-${name}` }),
  "docker:index/remoteImage:RemoteImage": (name) => ({ imageId: `sha256:${name}` }),
  "consul:index/keys:Keys": () => ({ var: {} }),
  "consul:index/node:Node": () => ({}),
  "consul:index/service:Service": () => ({}),
  "pulumi:providers:consul": () => ({}),
  "pulumi:providers:docker": () => ({}),
};

/** The parts of the SDK that its types leave out. */
const internal = pulumi.runtime as unknown as {
  getMonitor(): { registerResource: (request: RegisterResourceRequest, callback: unknown) => Promise<void> };
  waitForRPCs(): Promise<void>;
};

let recorded: Registration[] = [];
let called: Call[] = [];
let unplanned: string[] = [];

/** Consul tells the secrets of its tokens: for `answers`, in the files whose programs may ask for them. */
export const TOKEN_SECRETS: Answers = {
  "consul:index/getAclTokenSecretId:getAclTokenSecretId": ({ accessorId }) => ({
    secretId: secretOf(accessorId as string),
  }),
};

/** Puts the recorder in the engine's place, for the whole file; only what `answers` has may be called. */
export async function mockPulumi({
  preview = false,
  answers = {},
}: { preview?: boolean; answers?: Answers } = {}): Promise<void> {
  const mocks: pulumi.runtime.Mocks = {
    newResource: ({ type, name, inputs }) => {
      if (type.startsWith("consul-docker:index:")) return { id: undefined, state: {} };
      const outputs = OUTPUTS[type];
      if (outputs === undefined) return refuse(`a resource of type ${type}`);
      const given = inputs as Registration["inputs"];
      return { id: idOf(name), state: { ...given, ...outputs(name, given) } };
    },
    call: ({ token, inputs, provider = "" }) => {
      const answer = answers[token];
      if (answer === undefined) return refuse(`a call of ${token}`);
      const given = inputs as Call["inputs"];
      called.push({ token, inputs: given, provider: refOf(provider) });
      return answer(given);
    },
  };
  await pulumi.runtime.setMocks(mocks, "shop", "test", preview);
  // The mocks hide a resource's options; the request to the engine has them.
  const monitor = internal.getMonitor();
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    recorded.push(registration(request));
    return register(request, callback);
  };
}

/** Creates a component, or runs a program, and waits until everything in it is registered. */
export async function create<T>(build: () => T | Promise<T>): Promise<Created<T>> {
  const { value, registrations, calls } = await record(build);
  return {
    component: value,
    registrations,
    calls,
    refs: registrations.map(({ ref }) => ref),
    get: (ref) => {
      const [found, ...others] = registrations.filter((one) => one.ref === ref);
      if (found !== undefined && others.length === 0) return found;
      throw new Error(`expected one ${ref} among ${registrations.map((one) => one.ref).join(", ")}`);
    },
  };
}

/** What a component throws that refuses its arguments, and what it registered before. */
export async function refused(build: () => unknown): Promise<{ error: unknown; refs: readonly string[] }> {
  const { value, registrations } = await record(async () => {
    try {
      await build();
      return undefined;
    } catch (error) {
      return error;
    }
  });
  return { error: value, refs: registrations.map(({ ref }) => ref) };
}

/** The value of an output. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve as (value: unknown) => void);
  });
}

/** The ID that the recorder gives a resource. */
export function idOf(name: string): string {
  return `${name}-id`;
}

/** The accessor ID that the recorder gives an ACL token. */
export function accessorOf(name: string): string {
  return `accessor-of-${name}`;
}

/** The secret that the recorder gives the ACL token with this accessor ID. */
export function secretOf(accessorId: string): string {
  return `secret-of-${accessorId}`;
}

async function record<T>(
  build: () => T | Promise<T>,
): Promise<{ value: T; registrations: readonly Registration[]; calls: readonly Call[] }> {
  // Pulumi takes a stack for each of its promises, and Jest maps every one to its source: nine tenths of the time.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    recorded = [];
    called = [];
    const value = await build();
    await internal.waitForRPCs();
    if (unplanned.length > 0) throw new Error(`unplanned: ${unplanned.join(", ")}`);
    return { value, registrations: recorded, calls: called };
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function refuse(what: string): never {
  unplanned = [...unplanned, what];
  throw new Error(`unplanned: ${what}`);
}

function registration(request: RegisterResourceRequest): Registration {
  const inputsFrom: Record<string, string[]> = {};
  request.getPropertydependenciesMap().forEach((value, key) => {
    if (value.getUrnsList().length > 0) inputsFrom[key] = value.getUrnsList().map(refOf);
  });
  // Secrets within an input make all of it a secret.
  const inputs = Object.entries(deserializeProperties(request.getObject() ?? new Struct()));
  return {
    ref: reference(request.getType(), request.getName()),
    inputs: Object.fromEntries(inputs.map(([key, value]) => [key, unwrapRpcSecret(value)])),
    secretInputs: inputs.filter(([, value]) => isRpcSecret(value)).map(([key]) => key),
    inputsFrom,
    parent: refOf(request.getParent()),
    dependencies: request.getDependenciesList().map(refOf).sort(),
    deletedWith: refOf(request.getDeletedwith()),
    replaceOnChanges: request.getReplaceonchangesList(),
    ignoreChanges: request.getIgnorechangesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    provider: refOf(request.getProvider()),
  };
}

/** Turns `urn:pulumi:STACK::PROJECT::PARENTTYPE$TYPE::NAME`, with or without an ID, into a `ref`. */
function refOf(urn: string): string {
  const [, , types = "", name = ""] = urn.split("::");
  return urn === "" ? "" : reference(types.split("$").at(-1) ?? "", name);
}

function reference(type: string, name: string): string {
  const [module = "", ...rest] = type.split(":");
  const kind = rest.at(-1) ?? "";
  if (module === "consul-docker") return `${kind} ${name}`;
  return type.startsWith("pulumi:providers:") ? `${kind}.Provider ${name}` : `${module}.${kind} ${name}`;
}
