import { Agent, type AgentOptions } from "node:http";
import { connect, type NetConnectOpts, type Socket } from "node:net";

/** Keeps connections open for the next call, and gives up on one that takes too long to be made. */
export class ImpatientAgent extends Agent {
  readonly #connectTimeoutMs: number;

  constructor(connectTimeoutMs: number, options?: AgentOptions) {
    super({ keepAlive: true, ...options });
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** Called by Node.js for each new connection. */
  createConnection(options: NetConnectOpts): Socket {
    const socket = connect(options);
    const timer = setTimeout(() => {
      const message = `no connection within ${this.#connectTimeoutMs} ms`;
      socket.destroy(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
    }, this.#connectTimeoutMs);
    const clear = () => {
      clearTimeout(timer);
    };
    return socket.once("connect", clear).once("close", clear);
  }
}
