/** What `/ready` and `/startup` answer. */
export interface Readiness {
  readonly status: "ready" | "starting" | "stopping";
  /** Names of what it waits for. */
  readonly waitingFor?: readonly string[];
}

/** Whether an instance should get calls: once it has found all that it follows, and until it begins to stop. */
export class Health {
  readonly #probes: Readonly<Record<string, { isReady(): boolean }>>;
  #started = true;
  #stopping = false;

  /** Takes what must be ready, by the name that is shown. */
  constructor(probes: Readonly<Record<string, { isReady(): boolean }>>) {
    this.#probes = probes;
  }

  /** Refuses calls from now on. */
  stop(): void {
    this.#stopping = true;
  }

  /** Is not started until what is returned is called: callers may not know of the instance yet. */
  holdStartup(): () => void {
    this.#started = false;
    return () => {
      this.#started = true;
    };
  }

  /** Whether calls can be answered. */
  readiness(): Readiness {
    if (this.#stopping) {
      return { status: "stopping" };
    }
    const waitingFor = Object.keys(this.#probes).filter((name) => this.#probes[name]?.isReady() === false);
    return waitingFor.length === 0 ? { status: "ready" } : { status: "starting", waitingFor };
  }

  /** Whether, besides, Consul sends calls here: then another instance may be stopped. */
  startup(): Readiness {
    const readiness = this.readiness();
    return readiness.status === "ready" && !this.#started
      ? { status: "starting", waitingFor: ["consul"] }
      : readiness;
  }
}
