import { Catalog } from "@consul-docker/protocol";
import { Health } from "@consul-docker/runtime";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { closeAll, recordedLog, serve } from "../runtime/testing/helpers";
import { answerIn, openRaw } from "../runtime/testing/raw";
import { createApp } from "./app";

afterEach(closeAll);

const blend = { id: "house-blend", name: "House blend", description: "Whole beans" };
const servedBy = { servedBy: "catalog-1", pricingServedBy: "pricing-2" };

/** A gateway whose catalog gives one product at the price, or fails with the code. */
async function setUp({ minorUnits = 1_290n, failure }: { minorUnits?: bigint; failure?: Code } = {}) {
  const asked: string[] = [];
  const product = { ...blend, price: { currency: "EUR", minorUnits } };
  const answerOrFail = <T>(answer: T): T => {
    if (failure !== undefined) {
      throw new ConnectError("10.0.0.7 said no", failure);
    }
    return answer;
  };
  const transport = createRouterTransport((router) =>
    router.service(Catalog, {
      listProducts: () => answerOrFail({ products: [product, { ...blend, id: "unpriced" }], ...servedBy }),
      getProduct: ({ id }) => {
        asked.push(id);
        return answerOrFail({ product, ...servedBy });
      },
    }),
  );
  const app = createApp({
    log: recordedLog().log,
    health: new Health({}),
    instance: "gateway-1",
    catalog: createClient(Catalog, transport),
  });
  const port = await serve(app);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.json()] as const;
  };
  /** The path as it is, where fetch would resolve the dots. */
  const getRaw = async (path: string) =>
    answerIn(await openRaw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
  return { get, getRaw, asked };
}

const hops = { gateway: "gateway-1", catalog: "catalog-1", pricing: "pricing-2" };

test("the index names the routes", async () => {
  const { get } = await setUp();
  expect(await get("/")).toEqual([
    200,
    { routes: ["/products", "/products/:id", "/live", "/ready"], servedBy: { gateway: "gateway-1" } },
  ]);
});

test("products are listed with the instances that served them, and without a price when there is none", async () => {
  const { get } = await setUp();
  const price = { amount: "12.90", currency: "EUR" };
  expect(await get("/products")).toEqual([
    200,
    {
      products: [
        { ...blend, price },
        { ...blend, id: "unpriced" },
      ],
      servedBy: hops,
    },
  ]);
});

test("one product is shown by its id", async () => {
  const { get, asked } = await setUp();
  const product = { ...blend, price: { amount: "12.90", currency: "EUR" } };
  expect(await get("/products/house-blend")).toEqual([200, { product, servedBy: hops }]);
  expect(asked).toEqual(["house-blend"]);
});

test.each([
  [0n, "0.00"],
  [5n, "0.05"],
  [100n, "1.00"],
  [123_456_789_012_345_678n, "1234567890123456.78"],
])("%i hundredths are the amount %s", async (minorUnits, amount) => {
  const { get } = await setUp({ minorUnits });
  expect(await get("/products/house-blend")).toMatchObject([200, { product: { price: { amount } } }]);
});

test.each(["UPPER", "a%20b", "a%2Fb", "x".repeat(65), "x".repeat(900), "%3Cscript%3E"])(
  "the id %s is a bad request, and catalog is not asked",
  async (id) => {
    const { get, asked } = await setUp();
    const message = "id: expected 1 to 64 lower-case letters, digits and hyphens";
    expect(await get(`/products/${id}`)).toEqual([400, { error: { code: "invalid_argument", message } }]);
    expect(asked).toEqual([]);
  },
);

test.each([
  ["/products/../../etc/passwd", 404],
  ["/products/%2e%2e/%2e%2e/etc/passwd", 404],
  ["//etc/passwd", 404],
  ["/products/..", 400],
  ["/products/%2e%2e", 400],
  ["/products/..%2f..%2fetc%2fpasswd", 400],
  ["/products/..%5c..%5cetc%5cpasswd", 400],
  ["/products/..\\..\\etc\\passwd", 400],
  ["/products/%252e%252e", 400],
  ["/products/%c0%ae%c0%ae%c0%af", 400],
  ["/products/house-blend%00", 400],
  ["/products/house-blend\0", 400],
  ["/products/house-blend%0d%0aSet-Cookie:%20a=b", 400],
  ["/products/__proto__", 400],
  [`/products/${"a".repeat(1_025)}`, 414],
  [`/products/${"a".repeat(17_000)}`, 431],
])("the path %.50j is answered with %i in JSON, and catalog is not asked", async (path, expected) => {
  const { getRaw, asked } = await setUp();
  const { status, headers, body } = await getRaw(path);
  expect(status).toBe(expected);
  expect(body).toEqual({
    error: { code: expect.any(String) as string, message: expect.any(String) as string },
  });
  const known = ["connection", "content-length", "content-type", "date", "x-request-id"];
  expect(Object.keys(headers).filter((name) => !known.includes(name))).toEqual([]);
  expect(JSON.stringify(body)).not.toMatch(/root:|fastify|node_modules|FST_|HPE_|\.[jt]s\b/i);
  expect(asked).toEqual([]);
});

test.each([
  [Code.NotFound, 404, "not_found"],
  [Code.Unavailable, 503, "unavailable"],
  [Code.DeadlineExceeded, 504, "deadline_exceeded"],
  [Code.Internal, 500, "internal"],
])("when catalog fails with the code %i the answer is %i", async (failure, status, code) => {
  const { get } = await setUp({ failure });
  const answer = await get("/products/house-blend");
  expect(answer).toMatchObject([status, { error: { code } }]);
  expect(JSON.stringify(answer).includes("10.0.0.7")).toBe(status === 404);
});
