import type { ClientSessionOptions } from "node:http2";
import { connect, type Socket } from "node:net";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { lookupOnce } from "./lookup";
import type { Instance } from "./registry";

/** A connection to one instance, made with its first call, kept, and made again when it is lost. */
export interface Connection {
  readonly transport: Transport;
  /** Ends it; calls under way fail. */
  close(): void;
  /** Ends it as one that has fallen silent: calls under way may be tried elsewhere, the next one makes another. */
  renew(): void;
}

/**
 * An HTTP/2 connection, which carries all calls to the instance at once. Without pings: the manager sends them on
 * connections that have just ended, too, which ends the process (connectrpc/connect-es#1795). Of an instance that has
 * fallen silent hedges, ejection and Consul know.
 */
export function connectTo(
  { address, port }: Pick<Instance, "address" | "port">,
  timeoutMs: number,
  open: typeof connect = connect,
): Connection {
  const baseUrl = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  const sessions = new Http2SessionManager(baseUrl, {}, impatient(timeoutMs, open));
  return {
    transport: createConnectTransport({
      baseUrl,
      httpVersion: "2",
      sessionManager: sessions,
    }),
    close: () => {
      sessions.abort();
    },
    renew: () => {
      sessions.abort(new ConnectError("the connection fell silent", Code.Unavailable));
    },
  };
}

const lookup = lookupOnce();

/** Gives up on a connection that takes too long to be made. */
function impatient(timeoutMs: number, open: typeof connect): ClientSessionOptions {
  return {
    createConnection: ({ hostname, port }) => {
      const socket: Socket = open({
        host: hostname.replace(/^\[|\]$/g, ""),
        port: Number(port),
        noDelay: true,
        // Takes all addresses of a name, which is what the lookup gives.
        autoSelectFamily: true,
        lookup,
      });
      const timer = setTimeout(() => {
        socket.destroy(
          Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "ETIMEDOUT" }),
        );
      }, timeoutMs);
      const clear = () => {
        clearTimeout(timer);
      };
      return socket.once("connect", clear).once("close", clear);
    },
  };
}
