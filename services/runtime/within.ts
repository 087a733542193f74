/**
 * Runs something with a signal that aborts after so many milliseconds, or when `signal` does. `AbortSignal.any` forgets a
 * timeout that nobody else refers to (nodejs/node#54614).
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const onAbort = () => {
    controller.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(new Error(`not within ${ms} ms`));
  }, ms);
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
