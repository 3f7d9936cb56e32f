// The slow function of B13: it takes ten seconds and does nothing.
export async function handler() {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  return { slow: true };
}
