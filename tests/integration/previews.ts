import { readFileSync } from "node:fs";
import { join } from "node:path";
import { servicesAt, TEST_STACK, type StackFile } from "./test-stack";

/** A change made on purpose, and what the report must say of it. */
export interface PurposefulChange {
  /** Name of the file with the whole report, below `previews/`. */
  readonly name: string;
  readonly settings: StackFile;
  /** What is added to the program of a service, as a commit of its own. @default nothing */
  readonly program?: { readonly file: string; readonly line: string };
}

const PORT = 18080;

/** The services of the test stack, one of them with something else, or without what is undefined. */
function services(name: string, changed: Readonly<Record<string, unknown>>) {
  return servicesAt(PORT).map((service) => (service.name === name ? { ...service, ...changed } : service));
}

const greeter = { name: "greeter", port: 8080, tags: ["http"], discovers: ["catalog"] };

/** Changes of every kind that a reviewer comes across. */
export const CHANGES: readonly PurposefulChange[] = [
  { name: "nothing", settings: {} },
  { name: "log level of all", settings: { logLevel: "debug" } },
  { name: "another Consul", settings: { consulVersion: "1.22.8" } },
  { name: "five servers", settings: { servers: 5 } },
  { name: "one server", settings: { servers: 1 } },
  { name: "another subnet", settings: { subnet: "10.101.0.0/24" } },
  {
    name: "check removed",
    settings: { services: services("pricing", { tags: ["rpc", "fast"], checks: [{ path: "/live" }] }) },
  },
  { name: "port opened", settings: { https: true, bindAddress: "0.0.0.0" } },
  { name: "service shrunk", settings: { services: services("catalog", { instances: 1 }) } },
  {
    name: "service added",
    settings: { services: [...servicesAt(PORT), greeter] },
    program: {
      file: "services/greeter/main.ts",
      line: 'import { Runtime, createServer } from "@consul-docker/runtime"; const runtime = new Runtime(); void runtime.run(createServer(runtime.server));',
    },
  },
  {
    name: "program and live configuration",
    settings: { services: services("pricing", { config: { currency: "USD" } }) },
    program: { file: "services/pricing/main.ts", line: 'console.log("another version");' },
  },
  { name: "wrong setting", settings: { servers: 2, clients: 0 } },
].map((change) => ({ ...change, settings: { ...TEST_STACK, ...change.settings } }));

/** The report as it must be. */
export function expectedReport(name: string): string {
  return readFileSync(join(__dirname, "previews", `${name.replaceAll(" ", "-")}.txt`), "utf8");
}

/** A report without what no reader can foresee: hashes of contents, certificates and commits. */
export function comparable(report: string): string {
  return report
    .replace(/:[0-9a-f]{12}\b/g, ":HASH")
    .replace(/-[0-9a-f]{8}\b/g, "-HASH")
    .replace(/\b[0-9a-f]{7,10} (?=services: )/g, "COMMIT ");
}
