// What goes wrong, in one class.

/** One thing that is wrong with what was sent. */
export interface Problem {
  /** Where: the path of a field, or empty for the whole. */
  field: string;
  message: string;
  /** What was probably meant. */
  suggestion?: string;
}

/** What is known of a failure beside its message. */
export interface Failure {
  /** `DB_004`, `FN_001`, ...: each has a page in the documentation. */
  code?: string | undefined;
  /** Of the HTTP answer; 0 where there was none. */
  status?: number;
  problems?: Problem[];
  requestId?: string | undefined;
  /** Address of the page of the code. */
  docs?: string | undefined;
  /** Seconds after which it makes sense to try again; workers hand it on to the retry policy. */
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Problems that are told in the message; all are in `problems`. */
const PROBLEMS_TOLD = 5;

/** What the server refused, or what kept it from being asked. */
export class EvokeError extends Error {
  readonly code: string;
  readonly status: number;
  readonly problems: Problem[];
  readonly requestId: string | undefined;
  readonly docs: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(message: string, failure: Failure = {}) {
    super(message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.name = 'EvokeError';
    this.code = failure.code ?? 'SDK';
    this.status = failure.status ?? 0;
    this.problems = failure.problems ?? [];
    this.requestId = failure.requestId;
    this.docs = failure.docs;
    this.retryAfter = failure.retryAfter;
  }
}

/** The error that an answer of the server is. */
export async function refusalOf(response: Response, what: string): Promise<EvokeError> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  const failure: Failure = { status: response.status, requestId };
  const wait = retryAfterSeconds(response, Date.now());
  if (wait !== undefined) failure.retryAfter = wait;
  const text = await response.text().catch(() => '');
  const told = parsed(text)?.['error'] as Record<string, unknown> | undefined;
  if (typeof told !== 'object' || told === null)
    return new EvokeError(`${what} answered ${response.status}${text === '' ? '' : `: ${text.slice(0, 200)}`}`, failure);
  const problems = Array.isArray(told['problems']) ? (told['problems'] as Problem[]) : [];
  return new EvokeError(worded(String(told['message'] ?? what), problems), {
    ...failure,
    code: told['code'] as string | undefined,
    docs: told['docs'] as string | undefined,
    requestId: (told['request_id'] as string | undefined) ?? requestId,
    problems,
  });
}

/** The code of an error of the server, if it is one. The answer can still be read. */
export async function codeOf(response: Response): Promise<string | undefined> {
  const text = await response.clone().text().catch(() => '');
  const told = parsed(text)?.['error'] as { code?: unknown } | null | undefined;
  return typeof told?.code === 'string' ? told.code : undefined;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function worded(message: string, problems: Problem[]): string {
  const told = problems
    .slice(0, PROBLEMS_TOLD)
    .filter((problem) => !message.includes(problem.message))
    .map(({ field, message, suggestion }) =>
      [field, message, suggestion === undefined ? '' : `(${suggestion})`].filter(Boolean).join(' '),
    );
  return told.length === 0 ? message : `${message}: ${told.join('; ')}`;
}

/** Seconds an answer asks to wait: a number of them, or a date. */
export function retryAfterSeconds(response: Response, now: number): number | undefined {
  const given = response.headers.get('retry-after');
  if (given === null) return undefined;
  const seconds = /^\d+$/.test(given.trim()) ? Number(given) : (Date.parse(given) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
