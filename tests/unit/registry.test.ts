import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate, type KeyPair } from "../../components/certificates";
import { docker, type Engine } from "../../engine";
import { provideDockerConfig, registryFaults } from "../../registry";

jest.mock("../../engine", () => ({
  ...jest.requireActual<object>("../../engine"),
  docker: jest.fn(() => Promise.resolve("Login Succeeded")),
}));

const ENGINES: readonly Engine[] = [
  { name: "a", endpoint: "ssh://a", address: "192.0.2.1" },
  { name: "b", endpoint: "ssh://b", address: "192.0.2.2" },
];
const STORED = "Authenticating with existing credentials...\n";
const NO_TTY = "Error: Cannot perform an interactive login from a non TTY device";
const environment = { ...process.env };

let folder: string;
let authority: KeyPair;
let server: Server;
let host: string;

beforeAll(async () => {
  authority = await createAuthority("registry");
  const { certificate, key } = await issueCertificate(authority, { names: ["127.0.0.1"], client: false });
  server = createServer({ cert: certificate, key }, (_, response) => response.writeHead(401).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "registry-"));
  await writeFile(join(folder, "ca.pem"), authority.certificate);
  process.env["SSL_CERT_FILE"] = join(folder, "ca.pem");
  delete process.env["HTTPS_PROXY"];
  delete process.env["https_proxy"];
  jest.mocked(docker).mockClear();
});

afterEach(async () => {
  process.env = { ...environment };
  await rm(folder, { recursive: true });
});

/** What the next login writes that fails. */
function refuse(stderr: string): void {
  jest.mocked(docker).mockRejectedValueOnce(Object.assign(new Error("exit code 1"), { stderr }));
}

const refusal = (text: string) =>
  `${STORED}Login did not succeed, error: Error response from daemon: ${text}\n${NO_TTY}\n`;

describe("the registry", () => {
  test("is tried by each engine, with the login that the docker command has", async () => {
    expect(await registryFaults(`${host}/team`, ENGINES)).toEqual([]);
    expect(jest.mocked(docker).mock.calls).toEqual(ENGINES.map((engine) => [["login", host], engine]));
  });

  test("is nobody's business where there is none", async () => {
    expect(await registryFaults(undefined, ENGINES)).toEqual([]);
    expect(docker).not.toHaveBeenCalled();
  });

  test("may leave the login as it is where its file cannot be written", async () => {
    refuse(`${STORED}Error saving credentials: read-only file system\n`);

    expect(await registryFaults(host, ENGINES)).toEqual([]);
  });

  test("needs a login", async () => {
    refuse(`${NO_TTY}\n`);

    expect(await registryFaults(`${host}/team`, ENGINES)).toEqual([
      `the docker command has no login for the registry ${host}; run docker login ${host} on this machine`,
    ]);
  });

  test.each([
    [
      "login attempt to https://r/v2/ failed with status: 401 Unauthorized",
      (registry: string) => `run docker login ${registry} on this machine again`,
    ],
    [
      'Get "https://r/v2/": x509: certificate signed by unknown authority',
      (registry: string) =>
        `put its authority's certificate into /etc/docker/certs.d/${registry}/ca.crt there`,
    ],
    [
      'Get "https://r/v2/": dial tcp 192.0.2.9:443: connect: connection refused',
      () => "correct consul-docker:registry, or see to the registry and the network between",
    ],
  ])("that refuses one engine with %j says which, and what to do", async (text, remedy) => {
    refuse(refusal(text));

    expect(await registryFaults(host, ENGINES)).toEqual([
      `a cannot use the registry ${host} (${text}); ${remedy(host)}`,
    ]);
  });

  test("has to be one that this machine trusts", async () => {
    await writeFile(join(folder, "ca.pem"), (await createAuthority("another")).certificate);

    expect(await registryFaults(host, [])).toEqual([
      `this machine does not trust the registry ${host} (unable to verify the first certificate); add its authority's certificate to the system's, or set SSL_CERT_FILE to it`,
    ]);
  });

  test("has to be one that this machine reaches", async () => {
    // Nobody may listen there without being root.
    expect(await registryFaults("127.0.0.1:1/team", [])).toEqual([
      "this machine cannot reach the registry 127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1); correct consul-docker:registry, or see to the registry and the network between",
    ]);
  });

  test("is not looked for from here where a proxy leads to it", async () => {
    process.env["HTTPS_PROXY"] = "http://proxy:3128";

    expect(await registryFaults("127.0.0.1:1/team", [])).toEqual([]);
  });
});

describe("the configuration of the docker command", () => {
  test("is made where there is none, for its owner alone", async () => {
    process.env["DOCKER_CONFIG"] = join(folder, "new", "docker");
    await provideDockerConfig();

    const file = join(folder, "new", "docker", "config.json");
    expect(await readFile(file, "utf8")).toBe("{}\n");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test("stays as it is where there is one", async () => {
    process.env["DOCKER_CONFIG"] = folder;
    const file = join(folder, "config.json");
    await writeFile(file, '{"auths":{}}');
    await provideDockerConfig();

    expect(await readFile(file, "utf8")).toBe('{"auths":{}}');
  });
});
