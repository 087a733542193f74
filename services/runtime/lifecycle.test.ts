import { createServer as createPlainServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Health } from "./health";
import { start } from "./lifecycle";
import { createServer } from "./server";
import { recordedLog, until } from "./testing/helpers";

afterEach(() => {
  for (const event of ["SIGTERM", "SIGINT", "uncaughtException"]) {
    process.removeAllListeners(event);
  }
});

async function started({ port = 0, drainMs = 50 } = {}) {
  const { log, messages } = recordedLog();
  const events: string[] = [];
  const health = new Health({});
  const app = createServer({ log, health });
  let answer: () => void = () => undefined;
  app.get("/slow", async () => {
    events.push("asked");
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return "answered";
  });
  await start(app, {
    port,
    health,
    follows: [{ stop: () => events.push("stopped") }],
    drainMs,
    closeTimeoutMs: 200,
    exit: (code) => events.push(`exit ${code}`),
  });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo | null)?.port ?? 0}`;
  return {
    app,
    url,
    events,
    messages,
    answer: () => {
      answer();
    },
  };
}

test("after a signal it turns unready, answers what is open, stops following and exits with 0", async () => {
  const { url, events, answer } = await started();
  const slow = fetch(`${url}/slow`).then((response) => response.text());
  await until(() => events.length === 1);
  process.emit("SIGTERM");
  const ready = await fetch(`${url}/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: "stopping" }]);
  answer();
  expect(await slow).toBe("answered");
  await until(() => events.length === 3);
  expect(events).toEqual(["asked", "stopped", "exit 0"]);
  await expect(fetch(`${url}/live`)).rejects.toThrow();
});

test("it still takes calls while it drains", async () => {
  const { url, events } = await started({ drainMs: 100 });
  process.emit("SIGINT");
  expect((await fetch(`${url}/live`)).status).toBe(200);
  await until(() => events.includes("exit 0"));
});

test("it enters Consul once it is ready, leaves before it drains, and is started only in between", async () => {
  const { log } = recordedLog();
  const events: string[] = [];
  const probe = { ready: false, isReady: () => probe.ready };
  const health = new Health({ probe });
  const app = createServer({ log, health });
  let entered: () => void = () => undefined;
  void start(app, {
    port: 0,
    health,
    membership: {
      enter: () => {
        events.push("enter");
        return new Promise((resolve) => {
          entered = resolve;
        });
      },
      leave: () => {
        events.push(`leave ${health.readiness().status}`);
        return Promise.resolve();
      },
    },
    follows: [{ stop: () => events.push("stopped") }],
    drainMs: 10,
    exit: (code) => events.push(`exit ${code}`),
  });
  await until(() => app.server.listening);
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const statuses = async () =>
    Promise.all(["/ready", "/startup"].map(async (path) => (await fetch(url + path)).status));
  expect([await statuses(), events]).toEqual([[503, 503], []]);
  probe.ready = true;
  await until(() => events.length === 1);
  expect([await statuses(), events]).toEqual([[200, 503], ["enter"]]);
  entered();
  await until(() => health.startup().status === "ready");
  expect(await statuses()).toEqual([200, 200]);
  process.emit("SIGTERM");
  await until(() => events.length === 4);
  expect(events).toEqual(["enter", "leave stopping", "stopped", "exit 0"]);
});

test("a request that does not end in time is cut off, and the exit code is 1", async () => {
  const { url, events, messages } = await started();
  const slow = fetch(`${url}/slow`);
  slow.catch(() => undefined);
  await until(() => events.length === 1);
  process.emit("SIGTERM");
  await expect(slow).rejects.toThrow();
  await until(() => events.length === 3);
  expect(events).toEqual(["asked", "stopped", "exit 1"]);
  expect(messages()).toContain("warn: requests cut off");
});

test("a second signal exits at once", async () => {
  const { events } = await started();
  process.emit("SIGTERM");
  expect(events).toEqual([]);
  process.emit("SIGTERM");
  expect(events).toEqual(["exit 1"]);
  await until(() => events.length === 3);
});

test("a port that is taken ends the process with one line of log", async () => {
  const other = createPlainServer();
  await new Promise<void>((resolve) => other.listen(0, "0.0.0.0", resolve));
  const { events, messages } = await started({ port: (other.address() as AddressInfo).port });
  other.close();
  expect(events).toEqual(["exit 1"]);
  expect(messages()).toEqual(["fatal: cannot listen"]);
});
