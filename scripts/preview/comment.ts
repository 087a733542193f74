/** Characters that GitHub takes in a comment. */
const LONGEST = 65_536;
const PAGE = 100;
const TIMEOUT_MS = 30_000;

/** What of a comment is read. */
interface Comment {
  readonly id: number;
  readonly body?: string;
  readonly user?: { readonly type?: string } | null;
}

/** Writes the report into this stack's comment on a pull request, or into a new one where there is none. */
export async function keepComment(number: number, report: string): Promise<void> {
  const { GITHUB_REPOSITORY: repository = "", PULUMI_STACK: stack = "" } = process.env;
  // Tells this stack's comment from all others.
  const mark = `<!-- consul-docker preview of ${stack} -->`;
  const body = shortened(`${mark}\n${report}`);
  const comments = `repos/${repository}/issues/${number}/comments`;
  const id = await known(comments, mark);
  if (id === undefined) await ask("POST", comments, { body });
  else await ask("PATCH", `repos/${repository}/issues/comments/${id}`, { body });
}

/**
 * The comment with this mark that a workflow has written: one of a person, who could write something else into it
 * afterwards, does not count.
 */
async function known(comments: string, mark: string): Promise<number | undefined> {
  for (let page = 1; ; page += 1) {
    const listed = (await ask("GET", `${comments}?per_page=${PAGE}&page=${page}`)) as Comment[];
    const found = listed.find(({ body, user }) => user?.type === "Bot" && body?.startsWith(mark) === true);
    if (found !== undefined || listed.length < PAGE) return found?.id;
  }
}

async function ask(method: string, path: string, body?: Readonly<Record<string, string>>): Promise<unknown> {
  const { GITHUB_API_URL: api = "https://api.github.com", GH_TOKEN: token = "" } = process.env;
  const response = await fetch(`${api}/${path}`, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-github-api-version": "2022-11-28",
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new Error(`GitHub does not answer at ${api}: ${String((error as Error).cause ?? error)}`);
  });
  const answer = (await response.json().catch(() => ({}))) as { message?: string };
  if (!response.ok) {
    throw new Error(`GitHub refuses ${method} ${path}: ${response.status} ${answer.message ?? ""}`.trimEnd());
  }
  return answer;
}

/** Whole lines of a comment, as many as GitHub takes. */
function shortened(body: string): string {
  if (body.length <= LONGEST) return body;
  const rest = "\n\nThe report is longer than a comment may be; all of it is in the summary of the run.";
  const taken = body.slice(0, LONGEST - rest.length);
  return taken.slice(0, taken.lastIndexOf("\n")) + rest;
}
