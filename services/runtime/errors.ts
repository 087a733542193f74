import { STATUS_CODES } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type { FastifyError } from "fastify";

/** What an HTTP caller is told about an error. */
export interface HttpError {
  /** HTTP status. */
  readonly status: number;
  /** Short name for programs, such as `not_found`. */
  readonly code: string;
  /** One sentence for people. */
  readonly message: string;
}

const internal: HttpError = {
  status: 500,
  code: "internal",
  message: "this request failed here; the log says why",
};

/** Faults of the caller are told as they are; of the others only what the caller can do about them. */
const answers: Partial<Record<Code, HttpError | ((message: string) => HttpError)>> = {
  [Code.InvalidArgument]: (message) => ({ status: 400, code: "invalid_argument", message }),
  [Code.NotFound]: (message) => ({ status: 404, code: "not_found", message }),
  [Code.AlreadyExists]: (message) => ({ status: 409, code: "already_exists", message }),
  [Code.ResourceExhausted]: {
    status: 429,
    code: "resource_exhausted",
    message: "too many requests; try later",
  },
  [Code.Unavailable]: {
    status: 503,
    code: "unavailable",
    message: "a service this needs is not available; try again",
  },
  [Code.DeadlineExceeded]: {
    status: 504,
    code: "deadline_exceeded",
    message: "a service this needs took too long",
  },
};

/** The one place where errors become HTTP answers. */
export function toHttpError(error: Error): HttpError {
  if (error instanceof ConnectError) {
    const answer = answers[error.code] ?? internal;
    return typeof answer === "function" ? answer(error.rawMessage) : answer;
  }
  const { statusCode: status = 500, message } = error as FastifyError;
  return status >= 400 && status < 500 ? { status, code: codeOf(status), message } : internal;
}

/** The status in the form of Connect's codes, such as `payload_too_large`. */
function codeOf(status: number): string {
  return (STATUS_CODES[status] ?? "bad request").toLowerCase().replaceAll(" ", "_");
}
