// What happens to the documents of a collection, as it happens.

import type { Connection } from './connection.ts';
import type { Fields, Recorded } from './document.ts';
import { EvokeError } from './error.ts';
import { backoff, sleep } from './retry.ts';
import { messages } from './sse.ts';

export type ChangeAction = 'create' | 'update' | 'delete';

/** Something that happened to a document. */
export interface DocumentChange<T = Fields> {
  /** The event that tells of it; `after` goes on behind it. */
  event_id: string;
  time: string;
  collection: string;
  action: ChangeAction;
  /** Of the document. */
  id: string;
  /** What is there now; `null` after a deletion. */
  document: Recorded<T> | null;
  /** What was there before; `null` before a creation. */
  previous_document: Recorded<T> | null;
  changed_fields: string[];
}

/** Which changes. */
export interface ChangesOptions {
  action?: ChangeAction;
  /** Those after this event, as long as they are kept; without it those from now on. */
  after?: string;
  /** Ends them. */
  signal?: AbortSignal;
}

const AGAIN = { initial: 500, max: 15_000 };

/** What to go on behind is older than what is kept: whoever follows has to look at everything anew. */
function tooOld(data: string): EvokeError {
  const { since } = JSON.parse(data) as { since?: string };
  const message = `changes were missed: those before ${since} are not kept any more; read the documents anew`;
  return new EvokeError(message, { status: 410 });
}

/**
 * Changes, through broken connections: each goes on where the last one ended.
 *
 * @throws EvokeError with status 410 where some in between are not kept any more.
 */
export async function* changesOf<T>(
  connection: Connection,
  path: string,
  { action, after = '', signal }: ChangesOptions,
): AsyncGenerator<DocumentChange<T>> {
  let last = after;
  for (let attempt = 0; !signal?.aborted; attempt++) {
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': last === '' ? undefined : last };
      const response = await connection.send('GET', path, { query: { action }, headers, signal });
      for await (const message of messages(response.body as ReadableStream<Uint8Array>)) {
        attempt = 0;
        if (message.id !== '') last = message.id;
        if (message.event === 'missed') throw tooOld(message.data);
        if (message.event === 'change' && message.data !== '') yield JSON.parse(message.data);
      }
    } catch (error) {
      if (signal?.aborted) return;
      const isRefused = error instanceof EvokeError && error.status >= 400 && error.status < 500;
      if (isRefused) throw error;
    }
    const wait = backoff(attempt, AGAIN, Math.random());
    await sleep(wait, signal).catch(() => undefined);
  }
}
