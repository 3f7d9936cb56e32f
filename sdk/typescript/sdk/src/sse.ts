// Server-sent events, as they come.

/** One message. */
export interface Message {
  event: string;
  /** Empty where only an id was given. */
  data: string;
  /** The last one that was given. */
  id: string;
}

/** Longer ones do not come from a server that means well. */
const MESSAGE_CHARS_MAX = 64 << 20;

/** The messages of a stream, until it ends. An id that comes alone is one: a stream goes on behind it. */
export async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let message: Message = { event: 'message', data: '', id: '' };
  let told = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      if (rest.length + message.data.length > MESSAGE_CHARS_MAX) throw new RangeError('a message is too long');
      // A line break at the very end may be the first half of one.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (message.data !== '' || message.id !== told) yield { ...message, data: message.data.slice(0, -1) };
          told = message.id;
          message = { event: 'message', data: '', id: message.id };
        } else take(message, line);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function take(message: Message, line: string): void {
  const colon = line.indexOf(':');
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data') message.data += `${value}\n`;
  else if (name === 'event') message.event = value;
  else if (name === 'id') message.id = value;
}
