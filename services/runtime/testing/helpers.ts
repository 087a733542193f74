import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { createLogger } from "../logger";

/** A logger whose lines can be read, at level info. */
export function recordedLog() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger(
    { serviceName: "shop", instanceName: "shop-1", logLevel: "info" },
    {
      write: (line) => {
        lines.push(JSON.parse(line) as Record<string, unknown>);
      },
    },
  );
  return { log, lines, messages: () => lines.map(({ level, msg }) => `${String(level)}: ${String(msg)}`) };
}

/** Waits until it is so; fails after 10 s. */
export async function until(isSo: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!isSo()) {
    if (performance.now() - startedAt > 10_000) {
      throw new Error(`not within 10 s: ${String(isSo)}`);
    }
    await sleep(2);
  }
}

const served: FastifyInstance[] = [];

/** Puts a server on a free port of this host, until `closeAll`; returns the port. */
export async function serve(app: FastifyInstance): Promise<number> {
  served.push(app);
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** Closes every server of `serve`, with what is still open. */
export async function closeAll(): Promise<void> {
  await Promise.all(
    served.splice(0).map((app) => {
      app.server.closeAllConnections();
      return app.close();
    }),
  );
}
