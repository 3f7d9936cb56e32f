// How a hook says no.

import type { Problem } from './error.ts';

/** What a hook returns to refuse a change. */
export interface Rejection {
  reject: { message: string; status?: number; problems?: Problem[] };
}

/** Refuses the change a hook is asked about: `return reject("not one of ours", { status: 403 })`. */
export function reject(
  message: string,
  { status, problems }: { status?: number; problems?: Problem[] } = {},
): Rejection {
  if (status !== undefined && !(Number.isInteger(status) && status >= 400 && status <= 499))
    throw new RangeError(`a hook refuses with a status from 400 to 499, not ${status}`);
  const rejection: Rejection = { reject: { message } };
  if (status !== undefined) rejection.reject.status = status;
  if (problems !== undefined) rejection.reject.problems = problems;
  return rejection;
}
