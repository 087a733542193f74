import { Code, ConnectError } from "@connectrpc/connect";

/**
 * How a call failed: `not reached`, the instance has not seen it; `failed`, it may have; `refused`, it has, and another
 * instance would say the same.
 */
export type Fault = "not reached" | "failed" | "refused";

/** The codes by which an instance says that the call itself is at fault. */
const refusals: readonly Code[] = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
];

const notConnected = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"];

/** What an error says about the call's fate. */
export function faultOf(error: unknown): Fault {
  const { code, rawMessage, cause } = ConnectError.from(error);
  // A server that closes its connection refuses what it has not begun with.
  if (notConnected.includes(systemCodeOf(cause)) || rawMessage.includes("REFUSED_STREAM")) {
    return "not reached";
  }
  return refusals.includes(code) ? "refused" : "failed";
}

/**
 * The error with the name of who was called; what happened to the connection is `Unavailable`. Without the metadata of
 * the answer, which a service that lets the error pass would send on as its own.
 */
export function named(error: unknown, fault: Fault, who: string): ConnectError {
  const { rawMessage, code, cause } = ConnectError.from(error);
  const isConnection =
    fault === "not reached" || systemCodeOf(cause) !== "" || rawMessage.startsWith("http/2 ");
  return new ConnectError(
    `${rawMessage} (${who})`,
    isConnection && code !== Code.DeadlineExceeded ? Code.Unavailable : code,
    undefined,
    undefined,
    error,
  );
}

/** The code of Node.js's own error, if it is one; else an empty string. */
function systemCodeOf(cause: unknown): string {
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "";
}
