// The function of B9: it waits and does nothing.
export async function handler() {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return { waited: true };
}
