const FAILURES_MAX = 3;

/** Asked every two seconds: fires when the service has not answered three times in a row. */
export async function handler(question) {
  const failures = (question.data.state?.failures ?? 0) + 1;
  const answer = await fetch(`${process.env.EVOKE_URL}/service`).catch(() => undefined);
  if (answer?.ok) {
    return { fire: false, state: { failures: 0 }, reason: "the service is well" };
  }
  console.warn(`the service failed ${failures} times in a row`);
  const state = { failures };
  return failures < FAILURES_MAX
    ? { fire: false, state, reason: `${failures} of ${FAILURES_MAX} failures` }
    : { fire: true, context: { service: "service" }, state: { failures: 0 } };
}
