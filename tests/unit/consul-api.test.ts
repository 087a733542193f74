import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { createAuthority, issueCertificate, type KeyPair } from "../../components/certificates";
import { ConsulApi, RefusedError } from "../../scripts/consul-api";

const TOKEN = "the-management-token";

let authority: KeyPair;
const servers: Server[] = [];
/** The body of the last request. */
let received = "";

beforeAll(async () => {
  authority = await createAuthority("test");
});

afterEach(closeAll);

async function closeAll(): Promise<void> {
  await Promise.all(
    servers.splice(0).map((server) => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      return closed;
    }),
  );
}

/** A server that answers with what it was asked; its base URL. */
async function echo(tls?: KeyPair): Promise<string> {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received = Buffer.concat(chunks).toString();
      if (request.url === "/v1/refused")
        return response.writeHead(403).end("Permission denied: lacks 'operator:read'\n");
      if (request.url === "/v1/empty") return response.end();
      const { method, url, headers } = request;
      return response.end(
        JSON.stringify({
          method,
          url,
          token: headers["x-consul-token"],
          body: received,
        }),
      );
    });
  };
  const server =
    tls === undefined
      ? createHttpServer(answer)
      : createHttpsServer({ cert: tls.certificate, key: tls.key }, answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("asks below /v1, and shows its token", async () => {
  const consul = new ConsulApi({ httpApiUrl: await echo(), managementToken: TOKEN });

  expect(await consul.get("kv/a?raw")).toEqual({
    method: "GET",
    url: "/v1/kv/a?raw",
    token: TOKEN,
    body: "",
  });
});

test("shows no token where it has none, and sends a body as JSON", async () => {
  const consul = new ConsulApi({ httpApiUrl: await echo() });

  expect(await consul.send("PUT", "kv/a", { b: 1 })).toEqual({
    method: "PUT",
    url: "/v1/kv/a",
    body: '{"b":1}',
  });
  expect(await consul.send("PUT", "empty")).toBeUndefined();
});

test("what is long goes both ways as it comes, with the token", async () => {
  const consul = new ConsulApi({ httpApiUrl: await echo(), managementToken: TOKEN });
  const { signal } = new AbortController();

  expect(JSON.parse(await text(await consul.download("snapshot", signal)))).toMatchObject({
    method: "GET",
    url: "/v1/snapshot",
    token: TOKEN,
  });
  await consul.upload("snapshot", Readable.from([Buffer.from("sna"), Buffer.from("pshot")]));
  expect(received).toBe("snapshot");
});

test("a refusal has its status", async () => {
  const consul = new ConsulApi({ httpApiUrl: await echo() });

  const error: unknown = await consul
    .download("refused", new AbortController().signal)
    .catch((error: unknown) => error);
  expect(error).toBeInstanceOf(RefusedError);
  expect((error as RefusedError).status).toBe(403);
  await expect(consul.upload("refused", Readable.from([]))).rejects.toThrow("Permission denied");
});

const errorOf = (answer: Promise<unknown>) =>
  answer.then(
    () => "none",
    (error: unknown) => (error as Error).message,
  );

test("a refusal is one line with what Consul said, without the token", async () => {
  const httpApiUrl = await echo();
  const consul = new ConsulApi({ httpApiUrl, managementToken: TOKEN });

  expect(await errorOf(consul.get("refused"))).toBe(
    `Consul answers 403 at ${httpApiUrl}/v1/refused: Permission denied: lacks 'operator:read'`,
  );
});

test("no answer is one line with the reason, without the token", async () => {
  const httpApiUrl = await echo();
  await closeAll();
  const consul = new ConsulApi({ httpApiUrl, managementToken: TOKEN });

  expect(await errorOf(consul.get("status/leader"))).toBe(
    `Consul does not answer at ${httpApiUrl}/v1/status/leader: ECONNREFUSED`,
  );
});

test("an answer that does not come is one line, after as long as is waited for it", async () => {
  const timeout = jest.spyOn(AbortSignal, "timeout").mockImplementation(() => AbortSignal.abort());
  const httpApiUrl = await echo();

  const message = await errorOf(new ConsulApi({ httpApiUrl, managementToken: TOKEN }).get("status/leader"));

  expect(message).toBe(
    `Consul does not answer at ${httpApiUrl}/v1/status/leader: This operation was aborted`,
  );
  await errorOf(new ConsulApi({ httpApiUrl, timeoutMs: 3_000 }).get("status/leader"));
  expect(timeout.mock.calls).toEqual([[10_000], [3_000]]);
  timeout.mockRestore();
});

test("a connection that does not come about is given up as soon", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const httpApiUrl = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;

  expect(await errorOf(new ConsulApi({ httpApiUrl, timeoutMs: 300 }).get("status/leader"))).toBe(
    `Consul does not answer at ${httpApiUrl}/v1/status/leader: no answer within 0.3 s`,
  );
  silent.close();
});

test("HTTPS is verified by the stack's authority, and by no other", async () => {
  const httpApiUrl = await echo(await issueCertificate(authority, { names: ["127.0.0.1"], client: false }));
  const other = await createAuthority("test");

  const trusting = new ConsulApi({ httpApiUrl, caCertificate: authority.certificate });
  expect(await trusting.get("status/leader")).toMatchObject({ url: "/v1/status/leader" });
  for (const [caCertificate, code] of [
    [undefined, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    [other.certificate, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ] as const) {
    const refusing = new ConsulApi({ httpApiUrl, caCertificate, managementToken: TOKEN });
    expect(await errorOf(refusing.get("status/leader"))).toBe(
      `Consul does not answer at ${httpApiUrl}/v1/status/leader: ${code}`,
    );
  }
});

test("HTTPS is not verified by who it is that answers alone, but by its name", async () => {
  const httpApiUrl = await echo(await issueCertificate(authority, { names: ["192.0.2.7"], client: false }));

  const consul = new ConsulApi({ httpApiUrl, caCertificate: authority.certificate });

  expect(await errorOf(consul.get("status/leader"))).toBe(
    `Consul does not answer at ${httpApiUrl}/v1/status/leader: ERR_TLS_CERT_ALTNAME_INVALID`,
  );
});
