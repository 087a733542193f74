import { createServer, type AddressInfo, type Server } from "node:net";
import { answeringUrl } from "../../scripts/api-url";

let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.2", resolve));
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => server.close());

const at = (...addresses: readonly string[]) => ({
  httpApiUrl: `https://${addresses[0] ?? ""}:${port}`,
  hosts: addresses.map((address) => ({ address })),
});

test("the API is asked at the first host that is there", async () => {
  expect(await answeringUrl(at("127.0.0.1", "127.0.0.2", "127.0.0.3"))).toBe(`https://127.0.0.2:${port}`);
  expect(await answeringUrl(at("127.0.0.2", "127.0.0.1"))).toBe(`https://127.0.0.2:${port}`);
});

test("the API is asked where it always is, where no host is there or there is one engine", async () => {
  expect(await answeringUrl(at("127.0.0.1", "127.0.0.3"))).toBe(`https://127.0.0.1:${port}`);
  expect(await answeringUrl({ httpApiUrl: "http://127.0.0.1:1" })).toBe("http://127.0.0.1:1");
});
