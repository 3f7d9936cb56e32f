// Collections of documents.

import { changesOf, type ChangesOptions, type DocumentChange } from './changes.ts';
import type { Connection } from './connection.ts';
import { DocumentRef, type Document, type Fields, type NewDocument } from './document.ts';
import { EvokeError } from './error.ts';
import { Query } from './query.ts';
import { backoff, sleep } from './retry.ts';
import { Transaction } from './transaction.ts';

/** A collection as the server knows it. */
export interface CollectionInfo {
  name: string;
  /** JSON Schema that every document fits; `null` where there is none. */
  schema: unknown;
  indexes: { name: string; fields: string[]; unique: boolean }[];
}

/** What a collection is made from. */
export interface CollectionDefinition {
  schema?: unknown;
  indexes?: { name?: string; fields: string[]; unique?: boolean }[];
}

const BULK_MAX = 1_000;
/** Statuses that say that something was changed by somebody else meanwhile. */
const CHANGED = new Set([404, 409, 412]);
const AGAIN_SOON = { initial: 20, max: 500 };

/** A collection: all of its documents, and what makes new ones. */
export class Collection<T = Fields> extends Query<T> {
  /** One document. */
  doc(id: string): DocumentRef<T> {
    return new DocumentRef<T>(this.connection, this.name, id);
  }

  /** Creates a document. */
  create(document: NewDocument<T>, options: { signal?: AbortSignal } = {}): Promise<Document<T>> {
    const ask = { json: plain(document), signal: options.signal };
    return this.connection.json('POST', `${this.path}/documents`, ask);
  }

  /** Creates up to 1,000 documents, all or none. */
  async createMany(documents: NewDocument<T>[], options: { signal?: AbortSignal } = {}): Promise<Document<T>[]> {
    if (documents.length === 0) return [];
    if (documents.length > BULK_MAX)
      throw new EvokeError(`createMany takes ${BULK_MAX} documents at once, got ${documents.length}`);
    const ask = { json: documents, signal: options.signal };
    const created = await this.connection.json<{ data: Document<T>[] }>('POST', `${this.path}/documents`, ask);
    return created.data;
  }

  /** What happens to the documents from now on, as an endless iterator. */
  changes(options: ChangesOptions = {}): AsyncGenerator<DocumentChange<T>> {
    return changesOf<T>(this.connection, `${this.path}/changes`, options);
  }

  /** The schema and indexes. */
  info(): Promise<CollectionInfo> {
    return this.connection.json('GET', this.path);
  }

  /** Makes it a collection with this schema and these indexes. */
  define(definition: CollectionDefinition = {}): Promise<CollectionInfo> {
    return this.connection.json('PUT', this.path, { json: definition });
  }

  /** Deletes it with all documents. */
  async drop(): Promise<void> {
    await this.connection.send('DELETE', this.path);
  }
}

/** An array where one document belongs would be taken for many. */
function plain<D>(document: D): D {
  if (document === null || typeof document !== 'object' || Array.isArray(document))
    throw new EvokeError('create takes one document, an object; createMany takes an array');
  return document;
}

/** The database. */
export class Database {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A collection, whether it is there yet or not. */
  collection<T = Fields>(name: string): Collection<T> {
    return new Collection<T>(this.#connection, name);
  }

  /** The collections there are. */
  async collections(): Promise<CollectionInfo[]> {
    return listed<CollectionInfo>(this.#connection, '/api/collections');
  }

  /**
   * Several changes, all or none. What `work` reads through `t` must still be so when its changes
   * are made; else it is called again with what is there then, up to `attempts` times (5).
   */
  async transaction<R>(
    work: (t: Transaction) => Promise<R> | R,
    options: { attempts?: number } = {},
  ): Promise<R> {
    const { attempts = 5 } = options;
    for (let attempt = 0; ; attempt++) {
      const transaction = new Transaction(this.#connection);
      const result = await work(transaction);
      try {
        await transaction.commit();
        return result;
      } catch (error) {
        const isChanged = error instanceof EvokeError && CHANGED.has(error.status);
        if (!isChanged || !transaction.hasRead || attempt + 1 >= attempts) throw error;
        await sleep(backoff(attempt, AGAIN_SOON, Math.random()));
      }
    }
  }
}

/** All of a list that comes in pages. */
export async function listed<T>(
  connection: Connection,
  path: string,
  query: Record<string, string | number | undefined> = {},
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await connection.json<{ data: T[]; next_cursor?: string | null }>('GET', path, {
      query: { ...query, cursor },
    });
    all.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && all.length < LISTED_MAX);
  return all;
}

/** Lists end here: whoever has more wants pages. */
const LISTED_MAX = 100_000;
