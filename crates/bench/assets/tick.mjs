// The function of B1 to B5. It answers when it began, by the clock of the machine in microseconds.
export async function handler(event) {
  const began = (performance.timeOrigin + performance.now()) * 1000;
  return { n: event.data.n, began: Math.round(began) };
}
