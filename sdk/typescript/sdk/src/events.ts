// Events of one's own.

import type { Connection } from './connection.ts';

/** What an event says beside its type and its data. */
export interface PublishOptions {
  /** An id of the sender's; an event is taken once for each id and source. */
  id?: string;
  source?: string;
  subject?: string;
  /** Events of one key are delivered one after the other, where a trigger says so. */
  orderingKey?: string;
  /** Not before this much later: `5m`. */
  delay?: string;
  /** Not before this instant. */
  deliverAt?: Date | string;
}

/** An event to be published with others. */
export interface NewEvent extends PublishOptions {
  type: string;
  data?: unknown;
}

/** How a request to publish is sent. */
export interface PublishRequest {
  /** The same key within a day publishes once; one is made where none is given. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** What became of the events. */
export interface Published {
  /** In the order they were given. */
  ids: string[];
  /** Places of events that were taken before under the same id or key. */
  duplicates?: number[];
}

/** Events: published once they are on disk. */
export class Events {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Publishes one event, or several, all or none. */
  publish(type: string, data?: unknown, options?: PublishOptions & PublishRequest): Promise<Published>;
  publish(events: NewEvent[], options?: PublishRequest): Promise<Published>;
  async publish(
    what: string | NewEvent[],
    second?: unknown,
    third: PublishOptions & PublishRequest = {},
  ): Promise<Published> {
    const isMany = Array.isArray(what);
    const { idempotencyKey, signal } = (isMany ? (second ?? {}) : third) as PublishRequest;
    const json = isMany ? what.map(wired) : wired({ ...third, type: what, data: second });
    // With a key of its own, what is repeated after a broken connection counts once.
    const headers = { 'idempotency-key': idempotencyKey ?? freshKey() };
    if (isMany && what.length === 0) return { ids: [] };
    return this.#connection.json('POST', '/api/events', { json, headers, signal });
  }
}

/** An event in the short form. */
function wired({ type, data, id, source, subject, orderingKey, delay, deliverAt }: NewEvent) {
  const deliver_at = deliverAt instanceof Date ? deliverAt.toISOString() : deliverAt;
  return { type, data, id, source, subject, ordering_key: orderingKey, delay, deliver_at };
}

function freshKey(): string {
  const crypto = globalThis.crypto as Crypto | undefined;
  if (crypto !== undefined) return crypto.randomUUID();
  // Node 18 has no global of that name. Nobody guesses keys; they only must not meet.
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}
