// Calls of other functions.

import { path, type Connection } from './connection.ts';

/** How a function is called. */
export interface InvokeOptions {
  /** Calls with the same key within a day are one call, unless it is waited for and its caller leaves before the answer. */
  idempotencyKey?: string;
  /** Milliseconds until the answer begins. */
  timeout?: number;
  signal?: AbortSignal;
}

/** A call that was accepted and runs later. */
export interface Accepted {
  execution_id: string;
}

/** Functions, by their names. */
export class Functions {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Calls a function and waits for what it returns; with `async` only until the call is on disk. */
  invoke(name: string, data: unknown, options: InvokeOptions & { async: true }): Promise<Accepted>;
  invoke<R = unknown>(name: string, data?: unknown, options?: InvokeOptions): Promise<R>;
  async invoke(
    name: string,
    data: unknown = null,
    options: InvokeOptions & { async?: boolean } = {},
  ): Promise<unknown> {
    const { idempotencyKey, signal } = options;
    const headers = {
      'idempotency-key': idempotencyKey,
      prefer: options.async ? 'respond-async' : undefined,
    };
    // The server ends what takes too long; it knows how long the function may take.
    const timeout = options.timeout ?? 0;
    // A caller who waits and is cut off leaves the key free, so that another try might be another call.
    const isRepeatable = options.async === true && idempotencyKey !== undefined;
    const ask = { json: data, headers, signal, timeout, isRepeatable };
    const response = await this.#connection.send('POST', path`/api/functions/${name}/invoke`, ask);
    const text = await response.text();
    if (!/\bjson\b/.test(response.headers.get('content-type') ?? '')) return text;
    return text === '' ? undefined : JSON.parse(text);
  }
}
