import { Network } from "../../components/network";
import { labelsOf, owner, subnetOf } from "./fixtures";
import { create, idOf, mockPulumi, valueOf } from "./mocks";

const subnet = subnetOf("10.9.0.0/24");

beforeAll(() => mockPulumi());

test("is one bridge with the planned addresses, under a name and labels that say whose it is", async () => {
  const { get, refs } = await create(() => new Network("exact", { owner, driver: "bridge", subnet }));

  expect(refs).toEqual(["Network exact", "docker.Network exact"]);
  expect(get("docker.Network exact").inputs).toEqual({
    name: "shop-test-network",
    driver: "bridge",
    ipamConfigs: [{ subnet: "10.9.0.0/24", gateway: "10.9.0.1", ipRange: "10.9.0.128/25" }],
    labels: labelsOf("network"),
  });
});

test("frees its name and addresses before it is replaced", async () => {
  const { get } = await create(() => new Network("replaced", { owner, driver: "bridge", subnet }));

  const network = get("docker.Network replaced");
  expect(network.deleteBeforeReplace).toBe(true);
  expect(network.parent).toBe("Network replaced");
  expect(network.dependencies).toEqual([]);
});

test("hands out the network's ID", async () => {
  const { component } = await create(() => new Network("handed-out", { owner, driver: "bridge", subnet }));

  expect(await valueOf(component.networkId)).toBe(idOf("handed-out"));
});
