import type { DescMessage, DescMethod, DescMethodUnary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { BulkheadRejectedError, bulkhead } from "cockatiel";
import { connectTo } from "./connection";
import { currentRequest } from "./context";
import { type EjectionArgs, Ejections } from "./ejection";
import { type Fault, faultOf, named } from "./fault";
import type { CallMetrics } from "./metrics";
import { type End, type Member, Pool } from "./pool";
import type { Registry, Target } from "./registry";
import { RetryBudget, type RetryBudgetArgs } from "./retry-budget";
import { leastLoaded, type Strategy } from "./selection";
import { traced } from "./tracing";

/** How a service is called. */
export interface CallArgs extends Target {
  /** Time for a call with all its attempts, in milliseconds, unless the call says its own. @default 2000 */
  readonly timeoutMs?: number;
  /** Time to connect to an instance, in milliseconds. @default 500 */
  readonly connectTimeoutMs?: number;
  /** Most instances that one call is tried on. @default 3 */
  readonly maxAttempts?: number;
  /**
   * Milliseconds after which a call that may be repeated is sent to one more instance, and the first answer counts; at
   * least three times the instance's average. `Infinity` turns it off. @default a fourth of timeoutMs
   */
  readonly hedgeAfterMs?: number;
  /** Calls that may be under way at a time; one more fails at once with `ResourceExhausted`. @default 1000 */
  readonly maxConcurrent?: number;
  /** Chooses the instance. @default leastLoaded */
  readonly strategy?: Strategy;
  /** When a failing instance gets no more calls. */
  readonly ejection?: EjectionArgs;
  /** How many retries and hedges there may be. */
  readonly retryBudget?: RetryBudgetArgs;
}

/** What the calls need from the service that makes them. */
export interface ServiceTransportArgs extends CallArgs {
  readonly registry: Registry;
  /** @default none are kept */
  readonly metrics?: CallMetrics | undefined;
}

type Unary<I extends DescMessage, O extends DescMessage> = (
  member: Member,
  signal: AbortSignal,
  timeoutMs: number,
) => Promise<UnaryResponse<I, O>>;

/**
 * A Connect transport to the instances of a service. A call that did not reach its instance goes to another one; so
 * does one that failed there or is late, if its method has no side effects or is idempotent, as far as the budget for
 * retries allows. Errors name instance, service and attempt; without instances the code is `Unavailable`.
 */
export function serviceTransport(args: ServiceTransportArgs): Transport {
  const { service, timeoutMs: ownTimeoutMs = 2_000 } = args;
  const caller = new Caller({ ...args, timeoutMs: ownTimeoutMs });
  const limit = bulkhead(args.maxConcurrent ?? 1_000);

  const limited = <T>(call: () => Promise<T>): Promise<T> =>
    limit.execute(call).catch((error: unknown) => {
      throw error instanceof BulkheadRejectedError
        ? new ConnectError(`too many calls to ${service} are under way`, Code.ResourceExhausted)
        : error;
    });
  /** When the call must have ended: the request that it is a part of has no use for it later. */
  const deadlineOf = (timeoutMs: number | undefined) =>
    Math.min(
      performance.now() + (timeoutMs ?? ownTimeoutMs),
      currentRequest()?.deadline ?? Number.POSITIVE_INFINITY,
    );

  return {
    unary: (method, signal, timeoutMs, header, ...rest) =>
      limited(() =>
        caller.call(method, signal, deadlineOf(timeoutMs), (member, signal, remainingMs) =>
          traced(method, member, header, (header) =>
            member.connection.transport.unary(method, signal, remainingMs, header, ...rest),
          ),
        ),
      ),
    // What a stream has sent cannot be sent again.
    stream: (method, signal, timeoutMs, header, ...rest) =>
      limited(() =>
        caller.once(deadlineOf(timeoutMs), (member, remainingMs) =>
          traced(method, member, header, (header) =>
            member.connection.transport.stream(method, signal, remainingMs, header, ...rest),
          ),
        ),
      ),
  };
}

class Caller {
  readonly #args: ServiceTransportArgs;
  readonly #pool: Pool;
  readonly #budget: RetryBudget;
  readonly #maxAttempts: number;
  readonly #hedgeAfterMs: number;

  constructor(args: ServiceTransportArgs & { readonly timeoutMs: number }) {
    const { registry, metrics, service, connectTimeoutMs = 500, timeoutMs } = args;
    this.#args = args;
    this.#maxAttempts = args.maxAttempts ?? 3;
    this.#hedgeAfterMs = args.hedgeAfterMs ?? timeoutMs / 4;
    this.#budget = new RetryBudget(args.retryBudget);
    this.#pool = new Pool({
      view: registry.follow(args),
      strategy: args.strategy ?? leastLoaded,
      ejections: new Ejections(args.ejection),
      connect: (instance) => connectTo(instance, connectTimeoutMs),
      onEject: () => metrics?.ejected(service),
    });
    metrics?.follow(service, () => this.#pool.ejected);
  }

  /** Tries one instance, others if it must, and gives the first answer. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    deadline: number,
    send: Unary<I, O>,
  ): Promise<UnaryResponse<I, O>> {
    const { service, metrics } = this.#args;
    const startedAt = performance.now();
    const repeatable = isRepeatable(method);
    const tried: Member[] = [];
    const underWay = new Map<Member, AbortController>();
    let timer: NodeJS.Timeout | undefined;
    let winner: Member | undefined;
    this.#budget.deposit();

    return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
      const abortAll = () => {
        underWay.forEach((controller) => {
          controller.abort(signal?.reason);
        });
      };
      const end = (code: Code | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abortAll);
        metrics?.called(service, method.name, code, performance.now() - startedAt);
        abortAll();
      };
      const fail = (failure: ConnectError) => {
        end(failure.code);
        reject(failure);
      };
      /** Whether there was time left, an instance to try, and something to pay for it with. */
      const next = (kind: "first" | "retry" | "hedge"): boolean => {
        if (tried.length >= this.#maxAttempts || performance.now() >= deadline || signal?.aborted === true) {
          return false;
        }
        const member = this.#pool.pick(tried);
        if (member === undefined || (kind !== "first" && !this.#budget.withdraw())) {
          return false;
        }
        metrics?.attempted(service, kind);
        attempt(member);
        return true;
      };
      const hedgeIn = (ms: number) => {
        if (performance.now() + ms >= deadline) return;
        clearTimeout(timer);
        timer = setTimeout(() => {
          // Whom or what it lacked now, it may have later.
          if (!next("hedge")) hedgeIn(ms);
        }, ms);
      };
      const attempt = (member: Member) => {
        const number = tried.push(member);
        const controller = new AbortController();
        underWay.set(member, controller);
        const settle = this.#pool.begin(member);
        const remainingMs = Math.max(1, Math.ceil(deadline - performance.now()));
        // Where all are slow, hedges would make them slower.
        const hedgeAfterMs = Math.max(this.#hedgeAfterMs, slowFactor * member.latencyMs);
        if (repeatable) hedgeIn(hedgeAfterMs);
        send(member, controller.signal, remainingMs).then(
          (answer) => {
            underWay.delete(member);
            settle("answered");
            if (winner === undefined) {
              winner = member;
              end(undefined);
              resolve(answer);
            }
          },
          (error: unknown) => {
            underWay.delete(member);
            const fault = faultOf(error);
            if (winner !== undefined) {
              // Overtaken by an attempt that began later: as bad as no answer.
              settle(tried.indexOf(winner) >= number ? "silent" : "canceled");
            } else if (signal?.aborted === true) {
              settle("canceled");
              fail(ConnectError.from(error));
            } else {
              settle(endOf(error, fault));
              onFault(fault, named(error, fault, `${member.instance.id} of ${service}, attempt ${number}`));
            }
          },
        );
      };
      const onFault = (fault: Fault, failure: ConnectError) => {
        const another = fault === "not reached" || (fault === "failed" && repeatable);
        // Another attempt that is under way may still bring an answer.
        if (!another || (!next("retry") && underWay.size === 0)) {
          fail(failure);
        }
      };

      signal?.addEventListener("abort", abortAll);
      if (!next("first")) {
        fail(this.#notTried(signal, deadline));
      }
    });
  }

  /** Tries one instance. */
  async once<T>(deadline: number, send: (member: Member, timeoutMs: number) => Promise<T>): Promise<T> {
    const { service, metrics } = this.#args;
    const member = performance.now() < deadline ? this.#pool.pick([]) : undefined;
    if (member === undefined) {
      throw this.#notTried(undefined, deadline);
    }
    metrics?.attempted(service, "first");
    const settle = this.#pool.begin(member);
    try {
      const answer = await send(member, Math.ceil(deadline - performance.now()));
      settle("answered");
      return answer;
    } catch (error) {
      const fault = faultOf(error);
      settle(endOf(error, fault));
      throw named(error, fault, `${member.instance.id} of ${service}, attempt 1`);
    }
  }

  #notTried(signal: AbortSignal | undefined, deadline: number): ConnectError {
    const { service } = this.#args;
    if (signal?.aborted === true) {
      return ConnectError.from(signal.reason, Code.Canceled);
    }
    return performance.now() >= deadline
      ? new ConnectError(`no time left to call ${service}`, Code.DeadlineExceeded)
      : new ConnectError(`no instance of ${service}`, Code.Unavailable);
  }
}

function endOf(error: unknown, fault: Fault): End {
  if (fault === "refused") return "answered";
  return ConnectError.from(error).code === Code.DeadlineExceeded ? "silent" : "failed";
}

/** An answer that takes so many times the average is late. */
const slowFactor = 3;

function isRepeatable({ idempotency }: DescMethod): boolean {
  return idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
}
