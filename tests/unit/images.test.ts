import { Images } from "../../components/images";
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
