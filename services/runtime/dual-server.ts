import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { limits } from "./refusals";

/** How an HTTP/2 connection begins; no method of HTTP/1.1 does. */
const preface = "PRI";

/** An HTTP/2 connection without calls for this long is closed, in milliseconds. */
const idleMs = 15 * 60_000;

/** A server of two protocols. */
export interface DualServer {
  /** Listens; closing it closes the connections of HTTP/1.1. */
  readonly server: Server;
  /** Lets the calls end that are under way on HTTP/2, and takes no further ones. */
  closeHttp2(): void;
}

/** A server of HTTP/1.1 and, without TLS, of HTTP/2 on one port: the first bytes of a connection tell which. */
export function createDualServer(handler: RequestListener): DualServer {
  const server = createServer(limits, handler);
  const http2 = createHttp2Server(
    { settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: limits.maxHeaderSize } },
    // Node.js gives both the same form, as far as a handler can see.
    handler as never,
  );
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.setTimeout(idleMs, () => {
      session.close();
    });
    session.once("close", () => sessions.delete(session));
  });
  // What breaks a connection has been seen by its streams.
  http2.on("sessionError", () => undefined);

  const [takeHttp1] = server.listeners("connection") as [(this: Server, socket: Socket) => void];
  const undecided = new Set<Socket>();
  server.removeAllListeners("connection").on("connection", (socket: Socket) => {
    undecided.add(socket);
    const late = setTimeout(() => {
      server.emit("clientError", Object.assign(new Error(), { code: "ERR_HTTP_REQUEST_TIMEOUT" }), socket);
    }, server.headersTimeout);
    const decide = () => {
      clearTimeout(late);
      undecided.delete(socket);
      socket.off("readable", decide).off("close", decide);
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) {
        socket.destroy();
        return;
      }
      socket.unshift(bytes);
      if (bytes.toString("latin1", 0, preface.length) === preface) {
        http2.emit("connection", socket);
      } else {
        takeHttp1.call(server, socket);
      }
    };
    socket
      .on("error", () => undefined)
      .on("readable", decide)
      .on("close", decide);
  });

  const closeHttp1 = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeHttp1();
    undecided.forEach((socket) => socket.destroy());
    sessions.forEach((session) => {
      session.destroy();
    });
  };
  return {
    server,
    closeHttp2: () => {
      undecided.forEach((socket) => socket.destroy());
      sessions.forEach((session) => {
        session.close();
      });
    },
  };
}
