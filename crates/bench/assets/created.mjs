// The function of B17 behind a created document. It answers when it began, by the clock of the
// machine in microseconds.
export async function handler(event) {
  const began = (performance.timeOrigin + performance.now()) * 1000;
  return { n: event.data.document.n, began: Math.round(began) };
}
