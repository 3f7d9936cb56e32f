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
  /** Those after this event; without it those from now on. */
  after?: string;
  /** Ends them. */
  signal?: AbortSignal;
}

const AGAIN = { initial: 500, max: 15_000 };

/** Changes, through broken connections: each goes on where the last one ended. */
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
