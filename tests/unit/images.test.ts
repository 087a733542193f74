import * as pulumi from "@pulumi/pulumi";
import { Images } from "../../components/images";
import { swarm } from "../../components/swarm";
import { onePlatform, onlyHost, owner } from "./fixtures";
import { create, mockPulumi, valueOf, type Created } from "./mocks";

let images: Created<Images>;

beforeAll(async () => {
  await mockPulumi();
  images = await create(
    () =>
      new Images("images", {
        owner,
        platform: onePlatform,
        consulVersion: "1.20.0",
        monitorVersion: "0.8.0",
        nodeVersion: "22-slim",
        services: [{ name: "catalog", bundle: { context: "built", hash: "abc" } }],
      }),
  );
});

test("are the three public images in their versions, and stay when the stack goes", () => {
  expect(images.refs).toEqual([
    "Images images",
    "docker.RemoteImage consul",
    "docker.RemoteImage consul-esm",
    "docker.RemoteImage node",
  ]);
  const inputs = (ref: string) => images.get(`docker.RemoteImage ${ref}`).inputs;
  expect(inputs("consul")).toEqual({ name: "hashicorp/consul:1.20.0", keepLocally: true });
  expect(inputs("consul-esm")).toEqual({ name: "hashicorp/consul-esm:0.8.0", keepLocally: true });
  expect(inputs("node")).toEqual({ name: "node:22-slim", keepLocally: true });
});

test("are handed out by ID, the one to build on by name", async () => {
  expect(await valueOf(images.component.consulIdOn(onlyHost))).toBe("sha256:consul");
  expect(await valueOf(images.component.monitorIdOn(onlyHost))).toBe("sha256:consul-esm");
  expect(images.component.nodeName).toBe("node:22-slim");
});

test("are none of services where each builds its own", () => {
  expect(images.component.ofServices.size).toBe(0);
});

describe("of services on hosts", () => {
  const hosts = (prefix: string) =>
    ["1", "2"].map((number) => ({
      name: `${prefix}${number}`,
      endpoint: `ssh://${prefix}${number}`,
      address: `192.0.2.${number}`,
      manager: number === "2",
      drain: false,
    }));
  const on = (prefix: string, registry?: string) =>
    create(
      () =>
        new Images(prefix, {
          owner,
          platform: swarm(hosts(prefix), registry),
          registry,
          consulVersion: "1.20.0",
          monitorVersion: "0.8.0",
          nodeVersion: "22-slim",
          services: [{ name: "catalog", bundle: { context: "built", hash: "abc" } }],
        }),
    );
  const build = {
    context: "built",
    buildArgs: { BASE: "node:22-slim" },
    labels: {
      "consul-docker.project": "shop",
      "consul-docker.role": "service",
      "consul-docker.stack": "test",
    },
    useLegacyBuilder: true,
  };
  const ofServices = ({ refs }: Created<Images>) =>
    refs.filter((ref) => /^docker\.\w+ (built|service)-/.test(ref)).sort();

  test("are built on each without a registry", async () => {
    const plain = await on("p");

    expect(ofServices(plain)).toEqual([
      "docker.RemoteImage service-catalog-p1",
      "docker.RemoteImage service-catalog-p2",
    ]);
    const { inputs, provider, dependencies } = plain.get("docker.RemoteImage service-catalog-p1");
    expect(inputs).toEqual({ name: "shop-test-catalog:086121ddcc48-22-slim", build, forceRemove: true });
    expect(provider).toBe("docker.Provider p1");
    expect(dependencies).toEqual(["docker.RemoteImage node-p1"]);
    expect(plain.component.ofServices.get("catalog")).toBe("shop-test-catalog:086121ddcc48-22-slim");
  });

  test("are built by the manager, pushed, and pulled on each by their digest with a registry", async () => {
    const pushed = await on("r", "registry.example.com:5000/team");
    const name = "registry.example.com:5000/team/shop-test-catalog:086121ddcc48-22-slim";
    const reference = `${name}@sha256:pushed-service-catalog`;

    expect(ofServices(pushed)).toEqual([
      "docker.RegistryImage service-catalog",
      "docker.RemoteImage built-catalog",
      "docker.RemoteImage service-catalog-r1",
      "docker.RemoteImage service-catalog-r2",
    ]);
    const built = pushed.get("docker.RemoteImage built-catalog");
    expect(built.inputs).toEqual({ name, build, forceRemove: true });
    expect(built.provider).toBe("docker.Provider swarm_manager");
    expect(built.dependencies).toEqual(["docker.RemoteImage node-r1", "docker.RemoteImage node-r2"]);
    const push = pushed.get("docker.RegistryImage service-catalog");
    expect(push.inputs).toEqual({ name, keepRemotely: true });
    expect(push.provider).toBe("docker.Provider swarm_manager");
    expect(push.inputsFrom).toEqual({ name: ["docker.RemoteImage built-catalog"] });
    for (const host of ["r1", "r2"]) {
      const pulled = pushed.get(`docker.RemoteImage service-catalog-${host}`);
      expect(pulled.inputs).toEqual({ name: reference, forceRemove: true });
      expect(pulled.provider).toBe(`docker.Provider ${host}`);
    }
    const image = pulumi.output(pushed.component.ofServices.get("catalog") ?? "");
    expect(await valueOf(image)).toBe(reference);
  });
});
