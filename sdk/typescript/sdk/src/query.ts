// Which documents, and what becomes of them.

import { path, type Ask, type Connection } from './connection.ts';
import type { Changes, Document, Fields } from './document.ts';
import { EvokeError } from './error.ts';

export type Operator =
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'contains'
  | 'array-contains';

/** What a field can be compared with. A `Date` is its text in RFC 3339. */
export type Comparable = string | number | boolean | null | Date;

/** A page of documents. */
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** What came of a change of many documents. */
export interface Tally {
  /** How many met the conditions. */
  matched: number;
  /** How many were changed: the others were so already. */
  changed: number;
}

/** What a query is made of. */
export interface Shape {
  where: [string, Operator, unknown][];
  order: string[];
  limit?: number;
}

/** `get` reads so many documents at most; more are iterated over. */
const GET_MAX = 10_000;
const PAGE_MAX = 1_000;

/** Documents of a collection that meet conditions. It never changes: each call gives another one. */
export class Query<T = Fields> implements AsyncIterable<Document<T>> {
  protected readonly connection: Connection;
  protected readonly path: string;
  readonly #shape: Shape;

  constructor(connection: Connection, collection: string, shape: Shape = { where: [], order: [] }) {
    this.connection = connection;
    this.path = path`/api/collections/${collection}`;
    this.#shape = shape;
    this.name = collection;
  }

  /** Of the collection. */
  readonly name: string;

  /** Only documents of which this holds, too. Fields of objects are named like `address.city`. */
  where(field: (keyof T & string) | (string & {}), op: Operator, value: Comparable | Comparable[]): Query<T> {
    const where = [...this.#shape.where, [field, op, comparable(field, value)]] as Shape['where'];
    return this.#with({ where });
  }

  /** In the order of a field; the first that is named decides, the next ones what it leaves open. */
  orderBy(field: (keyof T & string) | (string & {}), direction: 'asc' | 'desc' = 'asc'): Query<T> {
    if (direction !== 'asc' && direction !== 'desc')
      throw new EvokeError(`orderBy: expected "asc" or "desc", got ${JSON.stringify(direction)}`);
    const order = [...this.#shape.order, direction === 'desc' ? `-${field}` : field];
    return this.#with({ order });
  }

  /** At most so many. */
  limit(limit: number): Query<T> {
    if (!Number.isInteger(limit) || limit < 1)
      throw new EvokeError(`limit: expected a whole number from 1 on, got ${limit}`);
    return this.#with({ limit });
  }

  /** The documents. Without a limit at most 10,000: of more, iterate. */
  async get(options: { signal?: AbortSignal } = {}): Promise<Document<T>[]> {
    const all: Document<T>[] = [];
    for await (const page of this.pages(options)) {
      for (const document of page) all.push(document);
      if (all.length > GET_MAX && this.#shape.limit === undefined)
        throw new EvokeError(`more than ${GET_MAX} documents: give a limit, or iterate with for await`);
    }
    return all;
  }

  /** The first of them; `null` where there is none. */
  async first(options: { signal?: AbortSignal } = {}): Promise<Document<T> | null> {
    const [first] = await this.limit(1).get(options);
    return first ?? null;
  }

  /** How many there are. */
  async count(options: { signal?: AbortSignal } = {}): Promise<number> {
    const json = { where: this.#shape.where };
    const ask = { json, isRepeatable: true, signal: options.signal };
    const { count } = await this.connection.json<{ count: number }>('POST', `${this.path}/count`, ask);
    return Math.min(count, this.#shape.limit ?? Infinity);
  }

  /** How the store would find them, one step a line. */
  async explain(): Promise<string[]> {
    const json = this.#body(this.#shape.limit);
    const ask = { json, isRepeatable: true };
    const { plan } = await this.connection.json<{ plan: string[] }>('POST', `${this.path}/explain`, ask);
    return plan;
  }

  /** Changes fields of all of them, each with its event and its hooks. */
  update(changes: Changes<T>, options: { signal?: AbortSignal } = {}): Promise<Tally> {
    const json = { where: this.#all('update'), set: changes };
    return this.#change('PATCH', { json, signal: options.signal });
  }

  /** Deletes all of them, each with its event and its hooks. */
  delete(options: { signal?: AbortSignal } = {}): Promise<Tally> {
    const query = { where: JSON.stringify(this.#all('delete')) };
    return this.#change('DELETE', { query, signal: options.signal });
  }

  /** Takes as long as there are documents, and once: a second try would count only what is left. */
  #change(method: string, ask: Ask): Promise<Tally> {
    const once = { ...ask, timeout: 0, isRepeatable: false };
    return this.connection.json(method, `${this.path}/documents`, once);
  }

  /** All of them, read page by page as they are wanted. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Document<T>> {
    for await (const page of this.pages()) yield* page;
  }

  /** All of them by pages, which may be empty. */
  async *pages(options: { signal?: AbortSignal } = {}): AsyncGenerator<Document<T>[]> {
    let left = this.#shape.limit ?? Infinity;
    let cursor: string | null | undefined;
    do {
      const json = { ...this.#body(Math.min(left, PAGE_MAX)), cursor: cursor ?? undefined };
      const ask = { json, isRepeatable: true, signal: options.signal };
      const page = await this.connection.json<Page<Document<T>>>('POST', `${this.path}/query`, ask);
      left -= page.data.length;
      cursor = page.next_cursor;
      yield page.data;
    } while (cursor && left > 0);
  }

  #body(limit: number | undefined) {
    const { where, order } = this.#shape;
    return { where, order_by: order, limit };
  }

  /** The conditions, where there is nothing else that would be left unheeded. */
  #all(verb: string): Shape['where'] {
    const { where, order, limit } = this.#shape;
    if (order.length > 0 || limit !== undefined)
      throw new EvokeError(`${verb} takes all documents that where() names: no orderBy, no limit`);
    if (where.length === 0)
      throw new EvokeError(`${verb} without where() would take all documents: where("id", "!=", "") says that`);
    return where;
  }

  #with(more: Partial<Shape>): Query<T> {
    return new Query(this.connection, this.name, { ...this.#shape, ...more });
  }
}

/** A value as it is sent. What JSON would turn into `null` unseen is a mistake. */
function comparable(field: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => comparable(field, one));
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  const isFinite = typeof value !== 'number' || Number.isFinite(value);
  if (value === null || (isFinite && ['string', 'number', 'boolean'].includes(typeof value))) return value;
  const shown = value instanceof Date ? 'an invalid Date' : typeof value === 'object' ? 'an object' : String(value);
  throw new EvokeError(`where ${JSON.stringify(field)}: cannot be compared with ${shown}`);
}
