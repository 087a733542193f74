import { isIPv4 } from "node:net";

/** The most client agents that a datacenter may have. */
export const MAX_CLIENTS = 100;

// Where the fixed addresses begin, counted from the network's own; the gateway has the first.
const FIRST_SERVER = 11;
const FIRST_CLIENT = 21;

/** The addresses of a datacenter's network: the lower half is for agents, the upper half for whatever Docker starts. */
export interface Subnet {
  /** The network itself, as `10.87.0.0/24`. */
  readonly cidr: string;
  /** The host's address in the network. */
  readonly gateway: string;
  /** The range that Docker gives away by itself, as `10.87.0.128/25`. */
  readonly dynamicRange: string;
  /** The client agents that the fixed half has room for. */
  readonly maxClients: number;
  /** Fixed address of the server with this number, from 1 to 5. */
  serverAddress(number: number): string;
  /** Fixed address of the client with this number, from 1. */
  clientAddress(number: number): string;
}

/** Plans the network `cidr`; undefined unless it is a private network with 64 to 65,536 addresses (RFC 1918, RFC 6598). */
export function parseSubnet(cidr: string): Subnet | undefined {
  const [address = "", bits = "", ...rest] = cidr.split("/");
  const prefix = Number(bits);
  if (rest.length > 0 || !isIPv4(address) || !/^\d{2}$/.test(bits) || prefix < 16 || prefix > 26)
    return undefined;
  const first = toNumber(address);
  const size = 2 ** (32 - prefix);
  if (first % size !== 0 || !isPrivate(address)) return undefined;
  return {
    cidr,
    gateway: toAddress(first + 1),
    dynamicRange: `${toAddress(first + size / 2)}/${prefix + 1}`,
    maxClients: size / 2 - FIRST_CLIENT,
    serverAddress: (number) => toAddress(first + FIRST_SERVER + number - 1),
    clientAddress: (number) => toAddress(first + FIRST_CLIENT + number - 1),
  };
}

/** Where this host reaches a port that listens on `bindAddress`. */
export function reachableAt(bindAddress: string): string {
  return bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress;
}

/** Whether what listens on `address` is reached from this host only. */
export function isLoopback(address: string): boolean {
  return overlap(address, "127.0.0.0/8");
}

/** Whether two networks, as `10.87.0.0/24`, share an address. */
export function overlap(a: string, b: string): boolean {
  const [x, y] = [range(a), range(b)];
  return x.first <= y.last && y.first <= x.last;
}

function range(cidr: string): { first: number; last: number } {
  const [address = "", bits = "32"] = cidr.split("/");
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1 };
}

function isPrivate(address: string): boolean {
  return ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"].some((block) =>
    overlap(address, block),
  );
}

function toNumber(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}
