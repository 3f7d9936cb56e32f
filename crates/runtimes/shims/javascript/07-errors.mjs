// Errors as the protocol has them.

/** An error as the protocol has it, whatever was thrown. */
function describe(error) {
  try {
    if (error === null || typeof error !== 'object' || typeof error.message !== 'string') {
      const message = typeof error === 'string' ? error : util().inspect(error);
      return {
        message: message.slice(0, STACK_MAX),
        type: String(error?.constructor?.name ?? typeof error),
        ...advice(error),
      };
    }
    const type = typeof error.name === 'string' && error.name !== '' ? error.name : 'Error';
    return {
      message: error.message.slice(0, STACK_MAX),
      stack: stackOf(error),
      type,
      ...advice(error),
    };
  } catch {
    return { message: 'the handler threw a value that cannot be described', type: typeof error };
  }
}

function advice(error) {
  const retryAfterMs = Math.round(error?.retryAfter * 1000);
  return {
    retry: error?.retry === false ? false : undefined,
    retryAfterMs: retryAfterMs >= 0 ? retryAfterMs : undefined,
  };
}

/** The stack without the frames of this file, with those of its causes. */
function stackOf(error, depth = 0) {
  if (typeof error?.stack !== 'string') return undefined;
  const own = error.stack
    .split('\n')
    .filter(
      (line) => !line.includes(import.meta.url) && !line.includes(import.meta.filename ?? '\0'),
    );
  const cause = depth < 5 ? stackOf(error.cause, depth + 1) : undefined;
  return (own.join('\n') + (cause === undefined ? '' : `\ncaused by: ${cause}`)).slice(
    0,
    STACK_MAX,
  );
}
