import dns from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { Pricing } from "@consul-docker/protocol";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, createClient } from "@connectrpc/connect";
import { type ServiceTransportArgs, serviceTransport } from "./call";
import { connectTo } from "./connection";
import { inRequest } from "./context";
import { faultOf } from "./fault";
import { Health } from "./health";
import type { Instance } from "./registry";
import { createServer as createApp } from "./server";
import { roundRobin } from "./selection";
import { closeAll, recordedLog, serve, until } from "./testing/helpers";
import { fixedRegistry, instanceAt as at } from "./testing/registry";

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
  onConnection: (socket: Socket) => void = () => undefined,
): Promise<Instance> {
  const app = createApp({
    log: recordedLog().log,
    health: new Health({}),
    rpc: (router) =>
      router.service(Pricing, {
        getPrices: async (_input, context) => {
          await answer(context);
          return { servedBy: id };
        },
      }),
  });
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

/** With round robin, so that a test knows who is called. */
function transport(instances: readonly Instance[], args: Partial<ServiceTransportArgs> = {}) {
  return serviceTransport({
    service: "pricing",
    registry: fixedRegistry(...instances),
    timeoutMs: 10_000,
    hedgeAfterMs: Infinity,
    strategy: roundRobin,
    ...args,
  });
}

function client(instances: readonly Instance[], args?: Partial<ServiceTransportArgs>) {
  return createClient(Pricing, transport(instances, args));
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

/** The method, as if it might have side effects. */
const unrepeatable = {
  ...Pricing.method.getPrices,
  idempotency: MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
};

const never = new Promise<void>(() => undefined);

function fails(): never {
  throw new ConnectError("broken", Code.Internal);
}

describe("attempts", () => {
  test("the strategy chooses each call's instance", async () => {
    const pricing = client([await instance("a"), await instance("b"), await instance("c")]);
    expect(await servedBy(pricing, 7)).toEqual(["a", "b", "c", "a", "b", "c", "a"]);
  });

  test("a call that finds no connection goes to another instance, whatever its method", async () => {
    const calls = transport([refusing("a"), await instance("b")]);
    const { message } = await calls.unary(unrepeatable, undefined, undefined, undefined, {});
    expect(message).toMatchObject({ servedBy: "b" });
  });

  test("a connection that is not made in time counts as not made", async () => {
    // A name that is never resolved keeps the socket connecting.
    const open = () => connect({ host: "nowhere.test", port: 1, lookup: () => undefined });
    const silent = connectTo({ address: "127.0.0.1", port: 1 }, 30, open);
    const call = silent.transport.unary(Pricing.method.getPrices, undefined, 5_000, undefined, {});
    const error: unknown = await call.catch((reason: unknown) => reason);
    silent.close();
    expect([faultOf(error), ConnectError.from(error).rawMessage]).toEqual([
      "not reached",
      "no connection within 30 ms",
    ]);
  });

  test("attempts to connect share the lookup of a name", async () => {
    const lookup = jest.spyOn(dns, "lookup").mockReturnValue(new Promise<never>(() => undefined));
    const attempt = async () => {
      const silent = connectTo({ address: "nowhere.test", port: 1 }, 30);
      await failureOf(silent.transport.unary(Pricing.method.getPrices, undefined, 5_000, undefined, {}));
      silent.close();
    };
    await attempt();
    await attempt();
    expect(lookup.mock.calls).toEqual([["nowhere.test", { all: true }]]);
    lookup.mockRestore();
  });

  test("no more than two other instances are tried", async () => {
    const pricing = client([refusing("a"), refusing("b"), refusing("c"), await instance("d")]);
    const { code, message } = await failureOf(pricing.getPrices({}));
    expect(code).toBe("Unavailable");
    expect(message).toMatch(/ECONNREFUSED.* \([abc] of pricing, attempt 3\)$/);
  });

  test("a repeatable call that loses its connection goes to another instance", async () => {
    const pricing = client([await breaking("a"), await instance("b")]);
    expect(await servedBy(pricing, 2)).toEqual(["b", "b"]);
  });

  test("a call that may have had side effects is not repeated when it loses its connection", async () => {
    let calls = 0;
    const onCall = () => {
      calls++;
    };
    const pricing = transport([await breaking("a", onCall), await breaking("b", onCall)]);
    const { code, message } = await failureOf(
      pricing.unary(unrepeatable, undefined, undefined, undefined, {}),
    );
    expect(code).toBe("Unavailable");
    expect(message).toMatch(/ \(a of pricing, attempt 1\)$/);
    expect(calls).toBe(1);
  });

  test("a repeatable call that fails at an instance goes to another one, any other does not", async () => {
    const instances = [await instance("a", fails), await instance("b")];
    expect(await servedBy(client(instances), 1)).toEqual(["b"]);
    const call = transport(instances).unary(unrepeatable, undefined, undefined, undefined, {});
    expect(await failureOf(call)).toEqual({ code: "Internal", message: "broken (a of pricing, attempt 1)" });
  });

  test.each([Code.InvalidArgument, Code.NotFound, Code.PermissionDenied])(
    "an answer that any instance would give (%s) is not tried elsewhere",
    async (code) => {
      let calls = 0;
      const answer = () => {
        calls++;
        throw new ConnectError("no such thing", code, { secret: "x" });
      };
      const call = client([await instance("a", answer), await instance("b", answer)]).getPrices({});
      expect(await failureOf(call)).toEqual({
        code: Code[code],
        message: "no such thing (a of pricing, attempt 1)",
      });
      await call.catch((error: unknown) => {
        expect([...ConnectError.from(error).metadata]).toEqual([]);
      });
      expect(calls).toBe(1);
    },
  );

  test("retries end with their budget", async () => {
    let calls = 0;
    const answer = () => {
      calls++;
      fails();
    };
    const pricing = client([await instance("a", answer), await instance("b", answer)], {
      retryBudget: { ratio: 0.1, perSecond: 0, max: 2 },
      ejection: { failures: 1000 },
    });
    for (let call = 0; call < 20; call++) {
      expect((await failureOf(pricing.getPrices({}))).code).toBe("Internal");
    }
    // 20 calls, 2 retries that were saved up, and 1 that the calls allowed.
    expect(calls).toBeGreaterThanOrEqual(22);
    expect(calls).toBeLessThanOrEqual(24);
  });

  test("without an instance the call fails at once", async () => {
    expect(await failureOf(client([]).getPrices({}))).toEqual({
      code: "Unavailable",
      message: "no instance of pricing",
    });
  });
});

describe("hedging", () => {
  test("a call that is late is sent to one more instance, and the first answer counts", async () => {
    let isCanceled = false;
    const slow = await instance("a", ({ signal }) => {
      signal.addEventListener("abort", () => {
        isCanceled = true;
      });
      return never;
    });
    const pricing = client([slow, await instance("b")], { hedgeAfterMs: 20, timeoutMs: 5_000 });
    expect(await servedBy(pricing, 1)).toEqual(["b"]);
    await until(() => isCanceled);
  });

  test("a call that may have side effects is never sent twice", async () => {
    let calls = 0;
    const slow = () => {
      calls++;
      return never;
    };
    const pricing = transport([await instance("a", slow), await instance("b", slow)], {
      hedgeAfterMs: 10,
      timeoutMs: 200,
    });
    const call = pricing.unary(unrepeatable, undefined, undefined, undefined, {});
    expect((await failureOf(call)).code).toBe("DeadlineExceeded");
    expect(calls).toBe(1);
  });

  test("an instance that is overtaken again and again is ejected, and then nothing waits for it", async () => {
    const slow = await instance("a", () => never);
    const seen: string[] = [];
    const transport = serviceTransport({
      service: "pricing",
      registry: fixedRegistry(slow, await instance("b")),
      strategy: roundRobin,
      hedgeAfterMs: 50,
      ejection: { failures: 3, baseMs: 60_000 },
      metrics: {
        called: () => undefined,
        attempted: (_target, kind) => seen.push(kind),
        ejected: () => seen.push("ejected"),
        follow: () => undefined,
      },
    });
    const pricing = createClient(Pricing, transport);
    while (!seen.includes("ejected")) {
      await pricing.getPrices({});
    }
    expect(seen.filter((kind) => kind === "hedge").length).toBeGreaterThanOrEqual(3);
    expect(await servedBy(pricing, 5)).toEqual(["b", "b", "b", "b", "b"]);
  });

  test("a call that is late at the only one that passes is sent to one that is critical", async () => {
    const silent = await instance("a", () => never);
    const critical = { ...(await instance("b")), status: "critical" } as const;
    const pricing = client([silent, critical], { hedgeAfterMs: 20, timeoutMs: 5_000 });
    expect(await servedBy(pricing, 1)).toEqual(["b"]);
  });

  test("a call that is late goes to an instance that was not known when it began", async () => {
    const silent = await instance("a", () => never);
    const registry = fixedRegistry(silent);
    const pricing = client([], { registry, hedgeAfterMs: 20, timeoutMs: 5_000 });
    const call = servedBy(pricing, 1);
    const another = await instance("b");
    setTimeout(() => {
      registry.set(silent, another);
    }, 100);
    expect(await call).toEqual(["b"]);
  });

  test("a hedge that fails does not end the call that is under way", async () => {
    const slow = await instance("a", () => new Promise((resolve) => setTimeout(resolve, 60)));
    const pricing = client([slow, await instance("b", fails)], { hedgeAfterMs: 10, timeoutMs: 5_000 });
    expect(await servedBy(pricing, 1)).toEqual(["a"]);
  });
});

describe("deadlines", () => {
  test("a call ends at its deadline, which the instance is told", async () => {
    let told: number | undefined;
    const slow = await instance("a", ({ timeoutMs }) => {
      told = timeoutMs();
      return never;
    });
    const { code, message } = await failureOf(client([slow], { timeoutMs: 300 }).getPrices({}));
    expect(code).toBe("DeadlineExceeded");
    expect(message).toBe("the operation timed out (a of pricing, attempt 1)");
    expect(told).toBeGreaterThan(200);
    expect(told).toBeLessThanOrEqual(300);
  });

  test("a call may say its own deadline", async () => {
    const slow = await instance("a", () => never);
    const pricing = client([slow], { timeoutMs: 2_000 });
    expect((await failureOf(pricing.getPrices({}, { timeoutMs: 50 }))).code).toBe("DeadlineExceeded");
  });

  test("what is left of the caller's time goes along to the next service", async () => {
    let left: number | undefined;
    const last = await instance("last", ({ timeoutMs }) => {
      left = timeoutMs();
    });
    const inner = client([last], { timeoutMs: 2_000 });
    const outer = client([await instance("middle", () => inner.getPrices({}))], { timeoutMs: 2_000 });
    await outer.getPrices({}, { timeoutMs: 1_500 });
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(1_500);
  });

  test("a call for which no time is left is not sent", async () => {
    let calls = 0;
    const pricing = client([
      await instance("a", () => {
        calls++;
      }),
    ]);
    const failure = await new Promise<{ code: string; message: string }>((resolve) => {
      inRequest({ requestId: "id-1", deadline: performance.now() - 1 }, () => {
        resolve(failureOf(pricing.getPrices({})));
      });
    });
    expect(failure).toEqual({ code: "DeadlineExceeded", message: "no time left to call pricing" });
    expect(calls).toBe(0);
  });

  test("a caller that gives up ends the call", async () => {
    const slow = await instance("a", () => never);
    const controller = new AbortController();
    const call = client([slow], { timeoutMs: 2_000 }).getPrices({}, { signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 20);
    expect((await failureOf(call)).code).toBe("Canceled");
  });
});

test("one call more than may be under way fails at once", async () => {
  const slow = await instance("a", () => never);
  const pricing = client([slow], { maxConcurrent: 2, timeoutMs: 200 });
  const calls = [pricing.getPrices({}), pricing.getPrices({}), pricing.getPrices({})].map(failureOf);
  expect((await Promise.all(calls)).map(({ code }) => code)).toEqual([
    "DeadlineExceeded",
    "DeadlineExceeded",
    "ResourceExhausted",
  ]);
});

test("the id of the request that is being answered goes along", async () => {
  const ids: (string | null)[] = [];
  const pricing = client([
    await instance("a", ({ requestHeader }) => {
      ids.push(requestHeader.get("x-request-id"));
    }),
  ]);
  await new Promise((resolve) => {
    inRequest({ requestId: "id-1" }, () => {
      resolve(pricing.getPrices({}));
    });
  });
  await pricing.getPrices({});
  expect(ids).toEqual(["id-1", null]);
});

describe("connections", () => {
  test("all calls to an instance share one, also at a time", async () => {
    let connections = 0;
    const counting = await instance("a", undefined, () => {
      connections++;
    });
    const pricing = client([counting]);
    await Promise.all([servedBy(pricing, 3), servedBy(pricing, 3)]);
    expect(connections).toBe(1);
  });

  test("that of an instance that is gone is closed, once its calls have ended", async () => {
    let isClosed = false;
    const leaving = await instance(
      "a",
      () => new Promise((resolve) => setTimeout(resolve, 50)),
      (socket) => {
        socket.on("close", () => {
          isClosed = true;
        });
      },
    );
    const registry = fixedRegistry(leaving);
    const pricing = createClient(Pricing, serviceTransport({ service: "pricing", registry }));
    const call = pricing.getPrices({});
    setTimeout(() => {
      registry.set();
    }, 20);
    expect((await call).servedBy).toBe("a");
    await until(() => isClosed);
  });

  test("one that has been silent for three calls is made again", async () => {
    let connections = 0;
    let isSilent = true;
    const silent = await instance(
      "a",
      () => (isSilent ? never : undefined),
      () => {
        connections++;
      },
    );
    const pricing = client([silent]);
    for (let call = 0; call < 3; call++) {
      expect(connections).toBeLessThanOrEqual(1);
      expect((await failureOf(pricing.getPrices({}, { timeoutMs: 100 }))).code).toBe("DeadlineExceeded");
    }
    isSilent = false;
    expect(await servedBy(pricing, 1)).toEqual(["a"]);
    expect(connections).toBe(2);
  });

  test("a lost one is made again", async () => {
    const sockets: { destroy(): void }[] = [];
    const pricing = client([await instance("a", undefined, (socket) => sockets.push(socket))]);
    await servedBy(pricing, 1);
    sockets[0]?.destroy();
    await until(() => sockets.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await servedBy(pricing, 1)).toEqual(["a"]);
    expect(sockets).toHaveLength(2);
  });
});
