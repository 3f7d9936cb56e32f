// The function of B14 and B15: one event or a list of them. It answers when it began, by the clock
// of the machine in microseconds, and takes as long as the event says.
export async function handler(events) {
  const began = (performance.timeOrigin + performance.now()) * 1000;
  const event = Array.isArray(events) ? events[0] : events;
  if (event.data.wait) await new Promise((done) => setTimeout(done, event.data.wait));
  return { n: event.data.n, began: Math.round(began) };
}
