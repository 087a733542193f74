import * as pulumi from "@pulumi/pulumi";
import { Service, type ServiceArgs } from "../../components/service";
import { serviceImageName } from "../../components/service-image";
import { singleEngine } from "../../components/platform";
import { datacenter, existing, onePlatform, owner } from "./fixtures";
import { create, mockPulumi, refused, valueOf, type Created } from "./mocks";

const args = (name: string, change: Partial<ServiceArgs> = {}): ServiceArgs => ({
  owner,
  bundle: { context: `.build/${name}/image`, hash: "0123456789ab" },
  baseImage: "node:24-slim",
  inTurn: () => [],
  instances: 2,
  port: 8080,
  hostPort: undefined,
  platform: onePlatform,
  tags: ["rpc"],
  meta: { protocol: "connect" },
  checks: [{ path: "/ready", intervalSeconds: 2, timeoutSeconds: 1 }],
  config: {},
  memoryMb: 160,
  logLevel: "warn",
  datacenter: datacenter(name),
  ...change,
});

const HEALTH = "consul:index/getServiceHealth:getServiceHealth";

let orders: Created<Service>;

beforeAll(async () => {
  await mockPulumi({ answers: { [HEALTH]: () => ({ results: [] }) } });
  orders = await create(() => new Service("orders", args("orders")));
});

test("is an image and its instances", () => {
  const own = orders.registrations.filter(({ parent }) => parent === "Service orders").map(({ ref }) => ref);

  expect(own.sort()).toEqual([
    "ServiceInstance orders-1",
    "ServiceInstance orders-2",
    "docker.RemoteImage orders",
  ]);
});

describe("the image", () => {
  test("is not built where there is one already", async () => {
    const image = pulumi.output("registry/orders:1@sha256:2");
    const { refs, get } = await create(() => new Service("given", args("given", { image, instances: 1 })));

    expect(refs.filter((ref) => ref.startsWith("docker.RemoteImage"))).toEqual([]);
    expect(get("docker.Container given-1").inputs).toMatchObject({ image: "registry/orders:1@sha256:2" });
  });

  test("is built from the bundle under a name that carries its hash", () => {
    expect(orders.get("docker.RemoteImage orders").inputs).toEqual({
      name: "shop-test-orders:1b47af8ea6e5-24-slim",
      build: {
        context: ".build/orders/image",
        buildArgs: { BASE: "node:24-slim" },
        labels: {
          "consul-docker.project": "shop",
          "consul-docker.role": "service",
          "consul-docker.stack": "test",
        },
        useLegacyBuilder: true,
      },
      forceRemove: true,
    });
  });

  test("has another name where anything in it is another, for the old one's removal takes the name", () => {
    const names = [
      {},
      { bundle: { context: ".build/orders/image", hash: "another" } },
      { baseImage: "registry.example.com/node:24-slim" },
      { owner: { project: "shop-test", stack: "orders" } },
    ].map((change) => serviceImageName("orders", { ...args("orders"), owner, ...change }));

    const hashes = names.map((name) => /:([0-9a-f]{12})-24-slim$/.exec(name)?.[1]);
    expect(new Set(hashes).size).toBe(4);
    expect(hashes).not.toContain(undefined);
  });

  test("goes with the stack", () => {
    expect(orders.get("docker.RemoteImage orders").inputs).not.toHaveProperty("keepLocally");
  });
});

describe("the instances", () => {
  test("run the image, with what the service is told", () => {
    const container = orders.get("docker.Container orders-2");

    expect(container.inputs).toMatchObject({ image: "sha256:orders", memory: 160, ports: [] });
    expect(container.inputsFrom).toEqual({ image: ["docker.RemoteImage orders"] });
    expect(container.inputs["envs"]).toContain("SERVICE_NAME=orders");
    expect(orders.get("consul.Service orders-2").inputs).toMatchObject({
      name: "orders",
      port: 8080,
      tags: ["rpc"],
      meta: { protocol: "connect" },
      checks: [{ checkId: "orders-2:/ready" }],
    });
  });

  test("start together where they are new", () => {
    expect(orders.get("ServiceInstance orders-1").dependencies).toEqual([]);
    expect(orders.get("ServiceInstance orders-2").dependencies).toEqual([]);
  });

  test("are changed one after the other where they exist", async () => {
    const change = { instances: 3, inTurn: existing("turns-1", "turns-2") };
    const { get } = await create(() => new Service("turns", args("turns", change)));

    expect(get("ServiceInstance turns-1").dependencies).toEqual([]);
    expect(get("ServiceInstance turns-2").dependencies).toEqual(["docker.Container turns-1"]);
    expect(get("ServiceInstance turns-3").dependencies).toEqual([]);
  });

  test("change their registrations one after the other where they exist and there are others", async () => {
    const asks = async (name: string, change: Partial<ServiceArgs>) => {
      const { calls, get } = await create(() => new Service(name, args(name, change)));
      expect(get(`consul.Service ${name}-1`).inputs).toMatchObject({ port: 8080 });
      return calls;
    };

    expect(await asks("twins", { inTurn: existing("twins-1", "twins-2") })).toEqual([
      {
        token: HEALTH,
        inputs: { name: "twins", passing: false },
        provider: "consul.Provider twins-provider",
      },
    ]);
    expect(await asks("newcomers", {})).toEqual([]);
    expect(await asks("hermit", { instances: 1, inTurn: existing("hermit-1") })).toEqual([]);
  });

  test("publish on the host, each one port higher than the one before", async () => {
    const change = { hostPort: 18080, platform: singleEngine("192.0.2.7") };
    const { component, get } = await create(() => new Service("shopfront", args("shopfront", change)));

    const ports = (name: string) => get(`docker.Container ${name}`).inputs["ports"];
    expect(ports("shopfront-1")).toMatchObject([{ internal: 8080, external: 18080, ip: "192.0.2.7" }]);
    expect(ports("shopfront-2")).toMatchObject([{ internal: 8080, external: 18081, ip: "192.0.2.7" }]);
    expect(await valueOf(component.url)).toBe("http://192.0.2.7:18080");
  });

  test("are reached at 127.0.0.1 when they listen on every address", async () => {
    const change = { hostPort: 18080, platform: singleEngine("0.0.0.0"), instances: 1 };
    const { component } = await create(() => new Service("open", args("open", change)));

    expect(await valueOf(component.url)).toBe("http://127.0.0.1:18080");
  });
});

describe("live configuration", () => {
  test("is JSON in the KV store under the service's own prefix, and goes with the stack", async () => {
    const config = { currency: "EUR", discountPercent: 0, tiers: [1, 2] };
    const { get } = await create(() => new Service("prices", args("prices", { config })));

    const keys = get("consul.Keys prices");
    expect(keys.inputs).toEqual({
      keys: [
        { path: "services/prices/currency", value: '"EUR"', delete: true },
        { path: "services/prices/discountPercent", value: "0", delete: true },
        { path: "services/prices/tiers", value: "[1,2]", delete: true },
      ],
    });
    expect(keys).toMatchObject({
      parent: "Service prices",
      dependencies: ["docker.Container prices-agent-1", "docker.Container prices-agent-2"],
      provider: "consul.Provider prices-provider",
      deletedWith: "docker.Volume prices-store",
    });
  });

  test("is in no container", async () => {
    const config = { apiKey: "do-not-tell" };
    const { get } = await create(() => new Service("vault", args("vault", { config, instances: 1 })));

    expect(JSON.stringify(get("docker.Container vault-1").inputs)).not.toContain("do-not-tell");
  });

  test("is absent where there is none", () => {
    expect(orders.refs.filter((ref) => ref.startsWith("consul.Keys"))).toEqual([]);
  });
});

test("hands out its instances, and no URL where nothing is published", async () => {
  expect(orders.component.name).toBe("orders");
  expect(await valueOf(orders.component.instances)).toEqual([
    { name: "orders-1", address: "orders-1:8080" },
    { name: "orders-2", address: "orders-2:8080" },
  ]);
  expect(await valueOf(orders.component.url)).toBeUndefined();
});

test("refuses to run without a check before it creates anything of its own", async () => {
  const { error, refs } = await refused(() => new Service("unchecked", args("unchecked", { checks: [] })));

  expect(error).toBeInstanceOf(pulumi.ResourceError);
  expect(error).toMatchObject({
    message: "checks of unchecked must hold at least one check, got none",
    hideStack: true,
  });
  expect(refs.filter((ref) => !/unchecked-(agent|store|provider)/.test(ref))).toEqual(["Service unchecked"]);
});
