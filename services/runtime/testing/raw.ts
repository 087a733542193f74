import { type Socket, connect } from "node:net";

/** A connection on which a test sends bytes as they are, where fetch would mend them; `trickle` sends more and more. */
export function openRaw(port: number, bytes = "", trickle = "") {
  const socket: Socket = connect(port, "127.0.0.1");
  const timer = setInterval(() => socket.write(trickle, "latin1"), 20);
  let text = "";
  socket.write(bytes, "latin1");
  return new Promise<string>((resolve, reject) => {
    const giveUp = setTimeout(() => {
      socket.destroy();
      reject(new Error(`still open after 4 s, received: ${text}`));
    }, 4_000);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    // A server that is done with a client does not read what still comes: that is no fault here.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(timer);
      clearTimeout(giveUp);
      resolve(text);
    });
  });
}

/** The one answer that the server gave before it ended the connection; throws when there is none or more. */
export function answerIn(text: string) {
  const [head = "", body = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3}) [\w -]+$/.exec(first)?.[1];
  if (status === undefined || rest.length > 0 || text.split("HTTP/1.1").length !== 2) {
    throw new Error(`expected one answer, got ${JSON.stringify(text)}`);
  }
  const headers = Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...value] = line.split(": ");
      return [name.toLowerCase(), value.join(": ")];
    }),
  );
  return { status: Number(status), headers, body: JSON.parse(body) as unknown };
}
