import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Health } from "./health";
import type { Membership } from "./membership";

/** How a service starts and stops. */
export interface StartArgs {
  /** TCP port, on all interfaces. */
  readonly port: number;
  readonly health: Health;
  /** The own entry in Consul. @default none: only the monitors say whether the instance passes */
  readonly membership?: Pick<Membership, "enter" | "leave"> | undefined;
  /** What to stop once the last request is answered. */
  readonly follows: readonly { stop(): void }[];
  /**
   * Time between leaving Consul and the last accepted connection, in milliseconds: callers learn of it while calls are
   * still answered. @default 500
   */
  readonly drainMs?: number;
  /** Time that the open requests get after that, in milliseconds. @default 10000 */
  readonly closeTimeoutMs?: number;
  /** @default process.exit */
  readonly exit?: (code: number) => void;
}

/**
 * Listens, and enters Consul once ready; until SIGTERM or SIGINT: then turns unready, leaves Consul, drains, closes, and
 * exits with 0, or with 1 when requests had to be cut off. A second signal exits at once with 1. A port that cannot be
 * had ends the process with 1 as well.
 */
export async function start(app: FastifyInstance, args: StartArgs): Promise<void> {
  const { port, health, membership, exit = (code: number) => process.exit(code) } = args;
  const started = membership === undefined ? undefined : health.holdStartup();
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
  if (membership !== undefined) {
    await untilReady(health);
    // What has begun to stop must not be called again.
    if (health.readiness().status === "ready") {
      await membership.enter();
      started?.();
    }
  }
}

async function untilReady(health: Health): Promise<void> {
  while (health.readiness().status === "starting") {
    await sleep(50);
  }
}

/** Whether all requests were answered in time. */
async function stop(app: FastifyInstance, args: StartArgs): Promise<boolean> {
  const { health, membership, follows, drainMs = 500, closeTimeoutMs = 10_000 } = args;
  health.stop();
  await membership?.leave();
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
