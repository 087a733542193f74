import { setTimeout as sleep } from "node:timers/promises";
import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import { created } from "./created";

/** A registration, and whose it is. */
export interface Registration {
  /** Name of the instance, and of its node. */
  readonly name: string;
  readonly registration: consul.Service;
}

// As long as a container may take that is replaced with it, and a check to be seen by all.
const PATIENCE_SECONDS = 90;

/**
 * Lets the registrations of one service change one after the other. The provider writes the status of each check
 * together with all else, as the state has it: from before the first run, when it was critical. Until the monitors' next
 * run nobody calls that instance.
 */
export class RegistrationTurns {
  /** Instances that passed before anything was changed. */
  #passed: Promise<ReadonlySet<string>> | undefined;

  constructor(
    /** Name of the service. */
    private readonly service: string,
    private readonly provider: consul.Provider,
    /** The longest time from the end of one run of a check to that of the next. */
    private readonly runSeconds: number,
  ) {}

  /**
   * Resolves when the registration on `node` may change: when the one before it has done so, and passes again if it
   * did before. Rejects where it does not, for the others may not pass then, either.
   */
  async after(node: consul.Node, before: Registration | undefined): Promise<void> {
    // Then there is somebody to ask.
    await created(node);
    this.#passed ??= this.#passing();
    const passed = await this.#passed;
    if (before === undefined) return;
    await created(before.registration);
    const deadline = Date.now() + (PATIENCE_SECONDS + this.runSeconds) * 1_000;
    while (passed.has(before.name) && !(await this.#passing()).has(before.name)) {
      if (Date.now() > deadline)
        throw new pulumi.ResourceError(
          `${before.name} no longer passes its checks, so other instances of ${this.service} stay as they are; npm run status says why`,
          before.registration,
          true,
        );
      await sleep(500);
    }
  }

  /** The instances that pass all their checks; none where Consul does not say. */
  async #passing(): Promise<ReadonlySet<string>> {
    try {
      const { results } = await consul.getServiceHealth(
        { name: this.service, passing: false },
        { provider: this.provider },
      );
      return new Set(
        results
          .filter(({ checks }) => checks.every(({ status }) => status === "passing"))
          .flatMap(({ nodes }) => nodes.map(({ name }) => name)),
      );
    } catch {
      return new Set();
    }
  }
}
