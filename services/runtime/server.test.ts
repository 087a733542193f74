import { Code, ConnectError } from "@connectrpc/connect";
import { Health } from "./health";
import { createServer } from "./server";
import { closeAll, recordedLog, serve, until } from "./testing/helpers";

afterEach(closeAll);

async function setUp(failure?: Code) {
  const { log, lines } = recordedLog();
  const probe = { ready: true, isReady: () => probe.ready };
  const health = new Health({ registry: probe });
  const app = createServer({ log, health });
  app.post("/echo", (request) => request.body);
  app.get("/broken", () => {
    throw new Error("the password is 1234");
  });
  app.get("/call", () => {
    throw new ConnectError("told", failure);
  });
  const port = await serve(app);
  lines.length = 0;
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const answer = async (path: string, init?: RequestInit) => {
    const response = await ask(path, init);
    return [response.status, await response.json()] as const;
  };
  return { health, probe, lines, ask, answer };
}

const opaque = { code: "internal", message: "this request failed here; the log says why" };

function json(body: string, type = "application/json"): RequestInit {
  return { method: "POST", body, headers: { "content-type": type, "x-request-id": "id-1" } };
}

test("it is live in any case, and ready when its probes are", async () => {
  const { answer, probe } = await setUp();
  probe.ready = false;
  expect(await answer("/live")).toEqual([200, { status: "live" }]);
  expect(await answer("/ready")).toEqual([503, { status: "starting", waitingFor: ["registry"] }]);
  probe.ready = true;
  expect(await answer("/ready")).toEqual([200, { status: "ready" }]);
});

test("it is live but not ready while it stops", async () => {
  const { answer, health } = await setUp();
  health.stop();
  expect(await answer("/ready")).toEqual([503, { status: "stopping" }]);
  expect(await answer("/live")).toEqual([200, { status: "live" }]);
});

test.each<[string, string, RequestInit, number, string, string | RegExp]>([
  ["an unknown route", "/nope?a=1", {}, 404, "not_found", "no route GET /nope?a=1"],
  ["a method without a route", "/echo", { method: "PUT" }, 404, "not_found", "no route PUT /echo"],
  [
    "an address that cannot be decoded",
    "/%ff",
    {},
    400,
    "bad_request",
    "'/%ff' is not a valid url component",
  ],
  ["JSON that is none", "/echo", json("{"), 400, "bad_request", /JSON/],
  ["a body of another type", "/echo", json("x", "text/css"), 415, "unsupported_media_type", /Unsupported/],
  ["a body over 64 KiB", "/echo", json(`"${"x".repeat(65_535)}"`), 413, "payload_too_large", /too large/],
])("%s is answered with a clear 4xx", async (_what, path, init, status, code, message) => {
  const { answer } = await setUp();
  const text = typeof message === "string" ? message : (expect.stringMatching(message) as string);
  expect(await answer(path, init)).toEqual([status, { error: { code, message: text } }]);
});

test("a body of 64 KiB is taken", async () => {
  const { answer } = await setUp();
  expect(await answer("/echo", json(JSON.stringify(["x".repeat(65_532)])))).toEqual([
    200,
    ["x".repeat(65_532)],
  ]);
});

test("what fails here is logged and not told", async () => {
  const { answer, lines } = await setUp();
  expect(await answer("/broken")).toEqual([500, { error: opaque }]);
  expect(lines[0]).toMatchObject({ level: "error", err: { message: "the password is 1234" } });
});

test.each([
  [Code.InvalidArgument, 400, { code: "invalid_argument", message: "told" }],
  [Code.NotFound, 404, { code: "not_found", message: "told" }],
  [Code.AlreadyExists, 409, { code: "already_exists", message: "told" }],
  [Code.ResourceExhausted, 429, { code: "resource_exhausted", message: "too many requests; try later" }],
  [
    Code.Unavailable,
    503,
    { code: "unavailable", message: "a service this needs is not available; try again" },
  ],
  [Code.DeadlineExceeded, 504, { code: "deadline_exceeded", message: "a service this needs took too long" }],
  [Code.Internal, 500, opaque],
  [Code.PermissionDenied, 500, opaque],
])("the code %i of a called service becomes %i", async (code, status, error) => {
  const { answer } = await setUp(code);
  expect(await answer("/call")).toEqual([status, { error }]);
});

test("a request keeps its id when that is fit for a log line, and gets one otherwise", async () => {
  const { ask } = await setUp();
  const idFor = async (id: string) =>
    (await ask("/live", { headers: { "x-request-id": id } })).headers.get("x-request-id");
  expect(await idFor("abc-1.2_3")).toBe("abc-1.2_3");
  expect(await idFor("a b")).toMatch(/^[\da-f-]{36}$/);
  expect(await idFor("x".repeat(65))).toMatch(/^[\da-f-]{36}$/);
});

test("each request is one line of log with service, instance and id, and health checks are none", async () => {
  const { answer, lines } = await setUp();
  await answer("/live");
  await answer("/ready");
  await answer("/echo", json("{}"));
  await until(() => lines.length > 0);
  expect(lines).toEqual([
    {
      level: "info",
      time: expect.any(String) as string,
      service: "shop",
      instance: "shop-1",
      requestId: "id-1",
      method: "POST",
      url: "/echo",
      status: 200,
      ms: expect.any(Number) as number,
      msg: "request",
    },
  ]);
});
