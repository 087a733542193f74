import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { Pricing } from "@consul-docker/protocol";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, createClient } from "@connectrpc/connect";
import { serviceTransport } from "./call";
import { ImpatientAgent } from "./connection";
import { Health } from "./health";
import type { Instance } from "./registry";
import { asRequest } from "./request-id";
import { serveRpc } from "./rpc";
import { createServer as createApp } from "./server";
import { closeAll, recordedLog, serve } from "./testing/helpers";

const cleanups: (() => void)[] = [];
afterEach(async () => {
  await closeAll();
  cleanups.splice(0).forEach((cleanup) => {
    cleanup();
  });
});

/** A real server on a port of its own. */
async function instance(
  id: string,
  answer: (context: HandlerContext) => unknown = () => undefined,
  onConnection: () => void = () => undefined,
): Promise<Instance> {
  const app = createApp({ log: recordedLog().log, health: new Health({}) });
  serveRpc(app, (router) =>
    router.service(Pricing, {
      getPrices: async (_input, context) => {
        await answer(context);
        return { servedBy: id };
      },
    }),
  );
  app.server.on("connection", onConnection);
  return at(id, await serve(app));
}

/** Takes a connection and breaks it at the first byte. */
async function breaking(id: string, onCall: () => void = () => undefined): Promise<Instance> {
  const server = createServer((socket) => {
    socket.once("data", () => {
      onCall();
      socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.close();
  });
  return at(id, (server.address() as AddressInfo).port);
}

/** Port 1 refuses connections. */
function refusing(id: string): Instance {
  return at(id, 1);
}

function at(id: string, port: number): Instance {
  return { id, node: `node-${id}`, address: "127.0.0.1", port };
}

function transport(...instances: Instance[]) {
  return serviceTransport({
    service: "pricing",
    registry: { follow: () => Promise.resolve(), instances: () => instances },
    timeoutMs: 300,
  });
}

function client(...instances: Instance[]) {
  return createClient(Pricing, transport(...instances));
}

async function failureOf(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await call.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  const { code, rawMessage: message } = ConnectError.from(error);
  return { code: Code[code], message };
}

async function servedBy(pricing: ReturnType<typeof client>, calls: number): Promise<string[]> {
  const names: string[] = [];
  for (let call = 0; call < calls; call++) {
    names.push((await pricing.getPrices({})).servedBy);
  }
  return names;
}

test("each call goes to the next instance in turn", async () => {
  const pricing = client(await instance("a"), await instance("b"), await instance("c"));
  expect(await servedBy(pricing, 7)).toEqual(["a", "b", "c", "a", "b", "c", "a"]);
});

test("a call that finds no connection goes to another instance, and the turn goes on", async () => {
  const pricing = client(await instance("a"), refusing("b"), await instance("c"));
  expect(await servedBy(pricing, 6)).toEqual(["a", "c", "c", "a", "c", "c"]);
});

test("no more than two other instances are tried", async () => {
  const pricing = client(refusing("a"), refusing("b"), refusing("c"), await instance("d"));
  const { code, message } = await failureOf(pricing.getPrices({}));
  expect(code).toBe("Unavailable");
  expect(message).toMatch(/ECONNREFUSED.* \(c of pricing\)$/);
});

test("a call without side effects that loses its connection goes to another instance", async () => {
  const pricing = client(await breaking("a"), await instance("b"));
  expect(await servedBy(pricing, 2)).toEqual(["b", "b"]);
});

test("a call that may have had side effects is not repeated when it loses its connection", async () => {
  let calls = 0;
  const onCall = () => {
    calls++;
  };
  const pricing = transport(await breaking("a", onCall), await breaking("b", onCall));
  const method = {
    ...Pricing.method.getPrices,
    idempotency: MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
  };
  const { code, message } = await failureOf(pricing.unary(method, undefined, undefined, undefined, {}));
  expect(code).toBe("Unavailable");
  expect(message).toMatch(/ \(a of pricing\)$/);
  expect(calls).toBe(1);
});

test("an error that an instance answers is not tried elsewhere, and names it without its metadata", async () => {
  let calls = 0;
  const answer = () => {
    calls++;
    throw new ConnectError("no such thing", Code.Unavailable, { secret: "x" });
  };
  const call = client(await instance("a", answer), await instance("b", answer)).getPrices({});
  expect(await failureOf(call)).toEqual({ code: "Unavailable", message: "no such thing (a of pricing)" });
  await call.catch((error: unknown) => {
    expect([...ConnectError.from(error).metadata]).toEqual([]);
  });
  expect(calls).toBe(1);
});

const never = new Promise<void>(() => undefined);

test("a call ends at its deadline, which the instance is told", async () => {
  let told: number | undefined;
  const slow = await instance("a", ({ timeoutMs }) => {
    told = timeoutMs();
    return never;
  });
  const startedAt = performance.now();
  const { code, message } = await failureOf(client(slow, slow).getPrices({}));
  expect(code).toBe("DeadlineExceeded");
  expect(message).toBe("the operation timed out (a of pricing)");
  expect(performance.now() - startedAt).toBeLessThan(600);
  expect(told).toBeGreaterThan(200);
  expect(told).toBeLessThanOrEqual(300);
});

test("a call may say its own deadline", async () => {
  const slow = await instance("a", () => never);
  const startedAt = performance.now();
  expect((await failureOf(client(slow).getPrices({}, { timeoutMs: 50 }))).code).toBe("DeadlineExceeded");
  expect(performance.now() - startedAt).toBeLessThan(250);
});

test("without a passing instance the call fails at once", async () => {
  expect(await failureOf(client().getPrices({}))).toEqual({
    code: "Unavailable",
    message: "no passing instance of pricing",
  });
});

test("the id of the request that is being answered goes along", async () => {
  const ids: (string | null)[] = [];
  const pricing = client(
    await instance("a", ({ requestHeader }) => {
      ids.push(requestHeader.get("x-request-id"));
    }),
  );
  await new Promise((resolve) => {
    asRequest("id-1", () => {
      resolve(pricing.getPrices({}));
    });
  });
  await pricing.getPrices({});
  expect(ids).toEqual(["id-1", null]);
});

test("calls one after another share a connection", async () => {
  let connections = 0;
  const counting = await instance("a", undefined, () => {
    connections++;
  });
  await servedBy(client(counting), 3);
  expect(connections).toBe(1);
});

test("a connection that is not made in time counts as not made", async () => {
  const agent = new ImpatientAgent(30);
  const code = await new Promise((resolve) => {
    // A name that is never resolved keeps the socket connecting.
    get({ host: "nowhere.test", agent, lookup: () => undefined }).on(
      "error",
      (error: NodeJS.ErrnoException) => {
        resolve(error.code);
      },
    );
  });
  expect(code).toBe("ETIMEDOUT");
});
