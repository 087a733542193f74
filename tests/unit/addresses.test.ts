import { isIPv4 } from "node:net";
import fc from "fast-check";
import { isLoopback, overlap, parseSubnet, reachableAt } from "../../components/addresses";
import { subnetOf } from "./fixtures";

const toAddress = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
const PRIVATE = [
  { first: 10 * 2 ** 24, prefix: 8 },
  { first: 172 * 2 ** 24 + 16 * 2 ** 16, prefix: 12 },
  { first: 192 * 2 ** 24 + 168 * 2 ** 16, prefix: 16 },
  { first: 100 * 2 ** 24 + 64 * 2 ** 16, prefix: 10 },
];

/** Any network that a stack file may ask for. */
const privateNetwork = fc
  .tuple(fc.constantFrom(...PRIVATE), fc.integer({ min: 16, max: 26 }), fc.nat({ max: 2 ** 26 }))
  .map(([block, prefix, index]) => {
    const size = 2 ** (32 - prefix);
    const networks = 2 ** (prefix - block.prefix);
    return `${toAddress(block.first + (index % networks) * size)}/${prefix}`;
  });

/** Any IPv4 network, its own address or another of it. */
const anyNetwork = fc
  .tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }))
  .map(([address, prefix]) => `${toAddress(address)}/${prefix}`);

test("a /24 is laid out as the design says", () => {
  const subnet = subnetOf("10.87.0.0/24");

  expect(subnet).toMatchObject({
    cidr: "10.87.0.0/24",
    gateway: "10.87.0.1",
    dynamicRange: "10.87.0.128/25",
    maxClients: 107,
  });
  expect([1, 5].map((number) => subnet.serverAddress(number))).toEqual(["10.87.0.11", "10.87.0.15"]);
  expect([1, 2, 107].map((number) => subnet.clientAddress(number))).toEqual([
    "10.87.0.21",
    "10.87.0.22",
    "10.87.0.127",
  ]);
});

test("the smallest network has room for 11 clients", () => {
  const subnet = subnetOf("192.168.1.64/26");

  expect(subnet.maxClients).toBe(11);
  expect(subnet.dynamicRange).toBe("192.168.1.96/27");
  expect(subnet.clientAddress(11)).toBe("192.168.1.95");
});

test("planned addresses are distinct, inside the network and outside what Docker gives away", () => {
  fc.assert(
    fc.property(privateNetwork, (cidr) => {
      const subnet = subnetOf(cidr);
      const clients = [1, 2, 3, subnet.maxClients - 1, subnet.maxClients];
      const planned = [
        subnet.gateway,
        ...[1, 2, 3, 4, 5].map((number) => subnet.serverAddress(number)),
        ...clients.map((number) => subnet.clientAddress(number)),
      ];

      expect(new Set(planned).size).toBe(planned.length);
      for (const address of planned) {
        expect(isIPv4(address)).toBe(true);
        expect(overlap(`${address}/32`, cidr)).toBe(true);
        expect(overlap(`${address}/32`, subnet.dynamicRange)).toBe(false);
      }
      expect(overlap(subnet.dynamicRange, cidr)).toBe(true);
    }),
  );
});

test.each([
  ["a network of 32 addresses", "10.0.0.0/27"],
  ["a network of 131072 addresses", "10.0.0.0/15"],
  ["an address with host bits", "10.87.0.1/24"],
  ["a public network", "8.8.8.0/24"],
  ["a network next to a private block", "172.32.0.0/16"],
  ["an address without bits", "10.87.0.0"],
  ["bits that are no number", "10.87.0.0/2x"],
  ["a second slash", "10.87.0.0/24/24"],
  ["an address that is none", "10.87.0.256/24"],
  ["IPv6", "fd00::/64"],
  ["nothing", ""],
])("%s is refused", (_, cidr) => {
  expect(parseSubnet(cidr)).toBeUndefined();
});

test.each([
  ["10.0.0.0/8", "10.87.0.0/24", true],
  ["10.87.0.0/25", "10.87.0.128/25", false],
  ["10.87.0.0/24", "10.87.1.0/24", false],
  ["10.87.0.77/24", "10.87.0.0/24", true],
  ["0.0.0.0/0", "255.255.255.255/32", true],
])("%s and %s share an address: %s", (a, b, shared) => {
  expect(overlap(a, b)).toBe(shared);
});

test.each([
  ["127.0.0.1", true],
  ["127.255.255.255", true],
  ["128.0.0.0", false],
  ["126.255.255.255", false],
  ["0.0.0.0", false],
  ["192.168.1.1", false],
])("%s is reached from this host only: %s", (address, only) => {
  expect(isLoopback(address)).toBe(only);
});

test("what listens everywhere is reached at 127.0.0.1, anything else where it listens", () => {
  expect(reachableAt("0.0.0.0")).toBe("127.0.0.1");
  expect(reachableAt("127.0.0.1")).toBe("127.0.0.1");
  expect(reachableAt("192.0.2.7")).toBe("192.0.2.7");
});

test("overlap is symmetric, and every network overlaps itself", () => {
  fc.assert(
    fc.property(anyNetwork, anyNetwork, (a, b) => {
      expect(overlap(a, b)).toBe(overlap(b, a));
      expect(overlap(a, a)).toBe(true);
    }),
  );
});
