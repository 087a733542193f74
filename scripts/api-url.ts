import { connect } from "node:net";

const TIMEOUT_MS = 1_000;
// With hosts, there is no other scheme.
const HTTPS_PORT = 443;

/** Where the HTTP API answers. */
export interface ApiPlaces {
  /** Base URL at the first host. */
  readonly httpApiUrl: string;
  /** The hosts, each of which serves it; undefined where there is one engine. */
  readonly hosts?: readonly { readonly address: string }[];
}

/** Base URL of the API at the first host that accepts a connection; at the very first where none does. */
export async function answeringUrl({ httpApiUrl, hosts = [] }: ApiPlaces): Promise<string> {
  for (const { address } of hosts) {
    const url = new URL(httpApiUrl);
    url.hostname = address;
    if (await accepts(address, url.port === "" ? HTTPS_PORT : Number(url.port))) return url.origin;
  }
  return httpApiUrl;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .once("connect", () => {
        end(true);
      })
      .once("timeout", () => {
        end(false);
      })
      .once("error", () => {
        end(false);
      });
  });
}
