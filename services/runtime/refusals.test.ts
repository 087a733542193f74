import { Health } from "./health";
import { createServer } from "./server";
import { closeAll, recordedLog, serve, until } from "./testing/helpers";
import { answerIn, openRaw } from "./testing/raw";

afterEach(closeAll);

async function setUp() {
  const { log, lines } = recordedLog();
  const app = createServer({ log, health: new Health({}) });
  const asked: string[] = [];
  app.post("/echo", (request) => request.body);
  app.get("/asked", (request) => {
    asked.push(request.id);
    return {};
  });
  const port = await serve(app);
  lines.length = 0;
  const send = async (bytes: string) => {
    const text = await openRaw(port, bytes);
    // Whatever was sent, nothing of it is in the headers, and nothing of ours is in the answer.
    expect(text).not.toMatch(/set-cookie|fastify|node_modules|FST_|HPE_|ERR_|\.[jt]s\b|\n\s+at /i);
    return answerIn(text);
  };
  return { app, port, lines, asked, send };
}

function get(headers = "", path = "/asked"): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
}

function post(headers: string, body: string): string {
  return `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;
}

const unreadable = { error: { code: "bad_request", message: "expected an HTTP request" } };
const tooMuch = (message: string) => ({ error: { code: "request_header_fields_too_large", message } });

test.each([
  ["no HTTP", "\x16\x03\x01\x02\r\n\r\n"],
  ["another version", "GET /asked HTTP/9.9\r\n\r\n"],
  ["a method that is none", "BREW /asked HTTP/1.1\r\n\r\n"],
  ["a NUL in the path", get("", "/asked\0")],
  ["a CR in the path", get("", "/asked\rSet-Cookie: a=b")],
  ["a byte in the path that should be encoded", get("", "/\xe9")],
  ["a NUL in a header", get("x-request-id: a\0b\r\n")],
  ["a CR in a header", get("x-request-id: a\rSet-Cookie: b=c\r\n")],
  ["a LF in a header", get("x-request-id: a\nSet-Cookie: b=c\r\n")],
  ["a header on two lines", get("x-request-id: a\r\n Set-Cookie: b=c\r\n")],
  ["a chunk size that is none", post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n")],
])("%s is answered with 400 in one line of log, and the connection ends", async (_what, bytes) => {
  const { send, asked, lines } = await setUp();
  const { status, headers, body } = await send(bytes);
  expect([status, body]).toEqual([400, unreadable]);
  expect(headers).toEqual({
    connection: "close",
    "content-type": "application/json; charset=utf-8",
    "content-length": String(JSON.stringify(unreadable).length),
  });
  expect(asked).toEqual([]);
  expect(lines).toMatchObject([{ level: "info", msg: "request refused", status: 400 }]);
  expect(lines[0]).not.toHaveProperty("err");
});

const hidden = get();
const chunkedEnd = `0\r\n\r\n${hidden}`;

test.each([
  ["two lengths", `Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n`, hidden],
  ["a list of lengths", "Content-Length: 0, 0\r\n", hidden],
  ["a length with a sign", "Content-Length: +0\r\n", hidden],
  ["a length in hexadecimal", "Content-Length: 0x0\r\n", hidden],
  ["a length beyond all numbers", `Content-Length: ${"9".repeat(20)}\r\n`, hidden],
  ["a length before chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunkedEnd],
  ["chunks before a length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunkedEnd],
  ["a space before the colon", "Transfer-Encoding : chunked\r\n", chunkedEnd],
  ["a coding that only looks like chunked", "Transfer-Encoding: xchunked\r\n", chunkedEnd],
  ["chunked before another coding", "Transfer-Encoding: chunked, identity\r\n", chunkedEnd],
  ["lines that end without CR", "Content-Length: 5\nTransfer-Encoding: chunked\r\n", chunkedEnd],
])("a request hidden behind %s is not answered", async (_what, headers, body) => {
  const { send, asked } = await setUp();
  expect(await send(post(headers, body))).toMatchObject({ status: 400, body: unreadable });
  expect(asked).toEqual([]);
});

test.each(["gzip, chunked", "identity\r\nTransfer-Encoding: chunked"])(
  "the transfer coding %j is refused, and what follows gets no answer",
  async (coding) => {
    const { send } = await setUp();
    expect(await send(post(`Transfer-Encoding: ${coding}\r\n`, chunkedEnd))).toMatchObject({
      status: 400,
      headers: { connection: "close" },
      body: { error: { code: "bad_request", message: "expected no transfer coding but chunked" } },
    });
  },
);

test("100 headers are taken and 101 are not, nor as many as Node.js would drop", async () => {
  const { send, asked } = await setUp();
  // Host and Connection are two.
  const withMore = (more: number) => send(get("a: b\r\n".repeat(more)));
  expect(await withMore(98)).toMatchObject({ status: 200 });
  expect(asked).toHaveLength(1);
  for (const more of [99, 900]) {
    expect(await withMore(more)).toMatchObject({
      status: 431,
      body: tooMuch("expected at most 100 headers"),
    });
  }
  // So many count as too long on Node.js 24, which adds an overhead for each.
  expect(await withMore(2_500)).toMatchObject({ status: 431 });
  expect(asked).toHaveLength(1);
});

test.each([
  ["a header", get(`a: ${"b".repeat(16_384)}\r\n`)],
  ["a path", get("", `/${"a".repeat(16_384)}`)],
])("%s over 16 KiB is refused", async (_what, bytes) => {
  const { send, asked } = await setUp();
  expect(await send(bytes)).toMatchObject({
    status: 431,
    headers: { connection: "close" },
    body: tooMuch("expected at most 16 KiB of headers"),
  });
  expect(asked).toEqual([]);
});

test.each([
  ["announced", "Content-Length: 65537\r\n", ""],
  ["in one chunk", "Transfer-Encoding: chunked\r\n", `10001\r\n${"x".repeat(65_537)}\r\n`],
])(
  "a body over 64 KiB, %s, is refused before its end, and the connection ends",
  async (_how, headers, body) => {
    const { send } = await setUp();
    const error = { code: "payload_too_large", message: "Request body is too large" };
    expect(await send(post(headers, body))).toMatchObject({
      status: 413,
      headers: { connection: "close" },
      body: { error },
    });
  },
);

test.each([
  "{",
  "nul",
  "\xff\xfe",
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":{}}}',
  "[".repeat(60_000),
])("the body %.40j is answered with 400", async (json) => {
  const { send } = await setUp();
  const message = "Body is not valid JSON but content-type is set to 'application/json'";
  expect(await send(post(`Content-Length: ${json.length}\r\n`, json))).toMatchObject({
    status: 400,
    body: { error: { code: "bad_request", message } },
  });
});

test.each([
  ["with bytes beyond ASCII", "a\xe9\x85b"],
  ["with an encoded line end", "a%0d%0aSet-Cookie:b"],
  ["that comes twice", "a\r\nx-request-id: b"],
  ["that is empty", ""],
])("a request id %s is replaced, in the answer and in the log", async (_what, id) => {
  const { send, lines } = await setUp();
  const { status, headers } = await send(get(`x-request-id: ${id}\r\n`));
  expect(status).toBe(200);
  expect(headers["x-request-id"]).toMatch(/^[\da-f-]{36}$/);
  await until(() => lines.length === 1);
  expect(lines[0]).toMatchObject({ requestId: headers["x-request-id"] });
});

test("a line end in the address, encoded, stays encoded in the answer and in the log", async () => {
  const { send, lines } = await setUp();
  const path = "/x%0d%0aX-Injected:%20a";
  const { status, headers, body } = await send(get("", path));
  expect([status, body]).toEqual([404, { error: { code: "not_found", message: `no route GET ${path}` } }]);
  expect(Object.keys(headers).sort()).toEqual([
    "connection",
    "content-length",
    "content-type",
    "date",
    "x-request-id",
  ]);
  await until(() => lines.length === 1);
  expect(lines[0]).toMatchObject({ url: path, msg: "request" });
});

test("an address that cannot be decoded has its id in the answer, and its line of log", async () => {
  const { send, lines } = await setUp();
  const { status, headers } = await send(get("x-request-id: id-1\r\n", "/%c0%ae%c0%ae/"));
  expect([status, headers["x-request-id"]]).toEqual([400, "id-1"]);
  await until(() => lines.length === 1);
  expect(lines[0]).toMatchObject({ msg: "request", requestId: "id-1", url: "/%c0%ae%c0%ae/", status: 400 });
});

test("headers have 5 s to arrive, and a whole request 10 s", async () => {
  const { app } = await setUp();
  expect([app.server.headersTimeout, app.server.requestTimeout]).toEqual([5_000, 10_000]);
});

const late = { error: { code: "request_timeout", message: "the request did not arrive in time" } };

test.each([
  ["that sends nothing", "", ""],
  ["whose headers trickle in", "GET /asked HTTP/1.1\r\n", "a: b\r\n"],
  ["whose header has no end", "GET /asked HTTP/1.1\r\na: ", "b"],
  ["whose body trickles in", post("Content-Length: 60000\r\n", ""), "1"],
  ["whose chunks trickle in", post("Transfer-Encoding: chunked\r\n", ""), "1\r\n1\r\n"],
])("a client %s is cut off with 408 well before Node.js would look", async (_what, bytes, trickle) => {
  const { app, port, asked } = await setUp();
  app.server.headersTimeout = 200;
  app.server.requestTimeout = 300;
  expect(answerIn(await openRaw(port, bytes, trickle))).toMatchObject({ status: 408, body: late });
  expect(asked).toEqual([]);
});

test("a client that is slow with its second request is cut off too", async () => {
  const { app, port } = await setUp();
  app.server.headersTimeout = 200;
  app.server.requestTimeout = 300;
  const text = await openRaw(port, "GET /live HTTP/1.1\r\nHost: x\r\n\r\nGET /live HTTP/1.1\r\n", "a: b\r\n");
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 408"]);
});
