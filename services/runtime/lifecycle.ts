import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Health } from "./health";

/** How a service starts and stops. */
export interface StartArgs {
  /** TCP port, on all interfaces. */
  readonly port: number;
  readonly health: Health;
  /** What to stop once the last request is answered. */
  readonly follows: readonly { stop(): void }[];
  /**
   * Time between the first unready answer and the last accepted connection, in milliseconds: callers leave while
   * calls are still answered. As long as the interval of the health check, none is refused. @default 1500
   */
  readonly drainMs?: number;
  /** Time that the open requests get after that, in milliseconds. @default 10000 */
  readonly closeTimeoutMs?: number;
  /** @default process.exit */
  readonly exit?: (code: number) => void;
}

/**
 * Listens, until SIGTERM or SIGINT: then turns unready, drains, closes, and exits with 0, or with 1 when requests had
 * to be cut off. A second signal exits at once with 1. A port that cannot be had ends the process with 1 as well.
 */
export async function start(app: FastifyInstance, args: StartArgs): Promise<void> {
  const { port, exit = (code: number) => process.exit(code) } = args;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) {
      exit(1);
      return;
    }
    stopping = true;
    app.log.info({ signal }, "stopping");
    void stop(app, args).then((clean) => {
      exit(clean ? 0 : 1);
    });
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  process.on("uncaughtException", (error) => {
    app.log.fatal({ err: error }, "uncaught exception");
    exit(1);
  });
  try {
    await app.listen({ host: "0.0.0.0", port });
  } catch (error) {
    app.log.fatal({ err: error }, "cannot listen");
    exit(1);
  }
}

/** Whether all requests were answered in time. */
async function stop(app: FastifyInstance, args: StartArgs): Promise<boolean> {
  const { health, follows, drainMs = 1_500, closeTimeoutMs = 10_000 } = args;
  health.stop();
  await sleep(drainMs);
  const clean = await Promise.race([app.close().then(() => true), sleep(closeTimeoutMs, false)]);
  if (!clean) {
    app.log.warn({ closeTimeoutMs }, "requests cut off");
    app.server.closeAllConnections();
  }
  follows.forEach((followed) => {
    followed.stop();
  });
  return clean;
}
