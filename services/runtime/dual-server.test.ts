import { connect as connectHttp2 } from "node:http2";
import { once } from "node:events";
import { Health } from "./health";
import { createServer } from "./server";
import { closeAll, recordedLog, serve } from "./testing/helpers";
import { answerIn, openRaw } from "./testing/raw";

afterEach(closeAll);

async function setUp() {
  const app = createServer({ log: recordedLog().log, health: new Health({}), rpc: () => undefined });
  let release: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    app.get("/slow", async () => {
      resolve();
      await new Promise<void>((done) => {
        release = done;
      });
      return "answered";
    });
  });
  app.post("/echo", (request) => request.body);
  return {
    app,
    port: await serve(app),
    asked,
    release: () => {
      release();
    },
  };
}

/** One request over HTTP/2; the status, or the error's code. */
async function http2Status(port: number, path: string): Promise<unknown> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  try {
    const stream = session.request({ ":path": path });
    let status: unknown;
    stream.on("response", (headers) => {
      status = headers[":status"];
    });
    stream.resume();
    await once(stream, "close");
    return status;
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    session.close();
  }
}

test("both versions of HTTP are served on one port, whatever the first byte", async () => {
  const { port } = await setUp();
  expect(await http2Status(port, "/live")).toBe(200);
  expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
  const body = { method: "POST", body: '{"a":1}', headers: { "content-type": "application/json" } };
  expect(await (await fetch(`http://127.0.0.1:${port}/echo`, body)).json()).toEqual({ a: 1 });
});

test("a server without RPC does not speak HTTP/2", async () => {
  const app = createServer({ log: recordedLog().log, health: new Health({}) });
  expect(await http2Status(await serve(app), "/live")).not.toBe(200);
});

test("a client that says nothing is told so, and let go", async () => {
  const { app, port } = await setUp();
  app.server.headersTimeout = 100;
  expect(answerIn(await openRaw(port))).toMatchObject({ status: 408 });
});

test("a closing server answers what is under way on HTTP/2, and takes no more", async () => {
  const { app, port, asked, release } = await setUp();
  const answer = http2Status(port, "/slow");
  await asked;
  const closed = app.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  release();
  expect(await answer).toBe(200);
  await closed;
  expect(await http2Status(port, "/live")).not.toBe(200);
});

test("what does not end can be cut off", async () => {
  const { app, port, asked } = await setUp();
  const answer = http2Status(port, "/slow");
  await asked;
  const closed = app.close();
  app.server.closeAllConnections();
  expect(await answer).not.toBe(200);
  await closed;
});
