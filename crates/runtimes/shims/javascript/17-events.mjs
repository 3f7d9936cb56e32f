// Events of the database can be read in a shorter way, too: `event.data.email` for a field of the
// document, `event.metadata.documentId`. What is added is not enumerable, so the event still is what
// was recorded where it is printed, copied or sent on.

function dressed(event) {
  const data = event?.data;
  const of = data?.document ?? data?.previous_document;
  if (typeof event?.type !== 'string' || !event.type.includes('database.') || typeof of !== 'object') return event;
  if (of === null) return event;
  for (const name of Object.keys(of)) {
    if (name in data) continue;
    Object.defineProperty(data, name, { value: of[name], configurable: true, writable: true });
  }
  const { id, time, subject } = event;
  const { collection, action } = data;
  const metadata = { documentId: subject, collection, action, eventId: id, timestamp: time };
  Object.defineProperty(event, 'metadata', { value: metadata, configurable: true, writable: true });
  return event;
}
