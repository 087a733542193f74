import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A comment as GitHub's API tells of it. */
export interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly login: string; readonly type: "Bot" | "User" };
}

const BOT = { login: "github-actions[bot]", type: "Bot" } as const;

/**
 * What of GitHub the workflows call, on loopback: the repositories below a folder for git, and the comments of one
 * pull request. It knows two tokens, one of which may write.
 */
export class GitHub {
  static readonly WRITES = "token-that-may-write";
  static readonly READS = "token-that-may-read";

  /** All comments, oldest first; a test may begin with some. */
  readonly comments: Comment[] = [];
  /** Calls of the API, such as `POST /repos/we/registry/issues/7/comments`. */
  readonly calls: string[] = [];
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  private constructor(private readonly repositories: string) {}

  /** Answers for the bare repositories `OWNER/NAME` in a folder. */
  static async start(repositories: string): Promise<GitHub> {
    const github = new GitHub(repositories);
    await once(github.#server.listen(0, "127.0.0.1"), "listening");
    return github;
  }

  /** Where a browser would go. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where its API is. */
  get api(): string {
    return `${this.url}/api`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    if (!url.pathname.startsWith("/api/")) {
      serveGit(this.repositories, url, request, response);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = url.pathname.replace("/api", "");
    this.calls.push(`${request.method ?? ""} ${path}`);
    const { status, body } = this.#api(request, path, url.searchParams, Buffer.concat(chunks).toString());
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  #api(request: IncomingMessage, path: string, query: URLSearchParams, body: string): Answer {
    const token = request.headers.authorization?.replace("Bearer ", "");
    if (token !== GitHub.WRITES && token !== GitHub.READS) return refusal(401, "Bad credentials");
    if (request.method !== "GET" && token === GitHub.READS)
      return refusal(403, "Resource not accessible by integration");

    const known = this.comments.find(({ id }) => path.endsWith(`/issues/comments/${id}`));
    const ofIssue = /\/issues\/\d+\/comments$/.test(path);
    switch (request.method) {
      case "GET": {
        if (!ofIssue) break;
        const [page, each] = [Number(query.get("page") ?? 1), Number(query.get("per_page") ?? 30)];
        return { status: 200, body: this.comments.slice((page - 1) * each, page * each) };
      }
      case "POST": {
        if (!ofIssue) break;
        const comment = { id: 1000 + this.comments.length, body: textOf(body), user: BOT };
        this.comments.push(comment);
        return { status: 201, body: comment };
      }
      case "PATCH":
        if (known === undefined) break;
        known.body = textOf(body);
        return { status: 200, body: known };
    }
    return refusal(404, "Not Found");
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function refusal(status: number, message: string): Answer {
  return { status, body: { message } };
}

function textOf(body: string): string {
  return (JSON.parse(body) as { body: string }).body;
}

/** Git's own server, by the rules of CGI. */
function serveGit(folder: string, url: URL, request: IncomingMessage, response: ServerResponse): void {
  const { headers } = request;
  const git = spawn("git", ["http-backend"], {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      ...(headers["content-length"] === undefined ? {} : { CONTENT_LENGTH: headers["content-length"] }),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  // Git may have answered before it has read all.
  git.stdin.on("error", () => undefined);
  request.pipe(git.stdin);
  const chunks: Buffer[] = [];
  git.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  git.on("close", () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf("\r\n\r\n");
    const fields = answer
      .subarray(0, Math.max(end, 0))
      .toString()
      .split("\r\n")
      .map((line): [string, string] => [
        line.replace(/:.*/, "").toLowerCase(),
        line.replace(/^[^:]*: */, ""),
      ]);
    const { status = "200", ...rest } = Object.fromEntries(fields);
    response.writeHead(end === -1 ? 500 : Number.parseInt(status, 10), end === -1 ? {} : rest);
    response.end(answer.subarray(end + 4));
  });
}
