import { parseEnv } from "./env";

const good = {
  SERVICE_NAME: "catalog",
  INSTANCE_NAME: "catalog-1",
  PORT: "8080",
  CONSUL_HTTP_ADDRS: "http://client-1:8500, http://client-2:8500",
};

test("a good environment becomes typed values, with the level info when none is given", () => {
  expect(parseEnv(good)).toEqual({
    serviceName: "catalog",
    instanceName: "catalog-1",
    port: 8080,
    consulAddresses: ["http://client-1:8500", "http://client-2:8500"],
    logLevel: "info",
  });
});

test("every fault is named at once, in one line, with what was expected and what was received", () => {
  const source = { INSTANCE_NAME: "Catalog 1", PORT: "0", CONSUL_HTTP_ADDRS: "client-1", LOG_LEVEL: "loud" };
  expect(() => parseEnv(source)).toThrow(
    new Error(
      "environment: SERVICE_NAME: expected a name, got nothing; " +
        'INSTANCE_NAME: expected lower-case letters, digits and hyphens, got "Catalog 1"; ' +
        "PORT: expected a port from 1 to 65535, got 0; " +
        'CONSUL_HTTP_ADDRS: expected http://HOST:PORT, separated by commas, got "client-1"; ' +
        'LOG_LEVEL: expected trace, debug, info, warn, error, got "loud"',
    ),
  );
});

test.each(["", "65536", "-1", "80.5", "0x50", "8080 "])("the port %j is refused", (PORT) => {
  expect(() => parseEnv({ ...good, PORT })).toThrow("PORT: expected a port from 1 to 65535");
});

test("the file of the token is taken from an absolute path", () => {
  const source = { ...good, CONSUL_HTTP_TOKEN_FILE: "/run/consul/token" };
  expect(parseEnv(source).consulTokenFile).toBe("/run/consul/token");
});

test.each(["", "5ca1ab1e-0000-4000-8000-c0ffee000001"])(
  "%j in place of the file of the token is refused, and not shown",
  (CONSUL_HTTP_TOKEN_FILE) => {
    expect(() => parseEnv({ ...good, CONSUL_HTTP_TOKEN_FILE })).toThrow(
      new Error("environment: CONSUL_HTTP_TOKEN_FILE: expected the absolute path of a file"),
    );
  },
);
