// Documents, and one of them.

import { path, type Connection } from './connection.ts';
import { EvokeError } from './error.ts';

/** Fields of documents whose type nobody gave. */
export type Fields = Record<string, any>;

/** What is kept beside the fields of a document. */
export interface Kept {
  id: string;
  /** Another one after each change. */
  _revision: string;
  _created_at: string;
  _updated_at: string;
}

/** A document as it was read. */
export type Document<T = Fields> = T & Kept;

/** A document as an event tells of it: its fields and its id. */
export type Recorded<T = Fields> = T & { id: string };

/** What a document is made of: its fields, and an id if it shall have a certain one. */
export type NewDocument<T = Fields> = T & { id?: string };

/** Fields to change; `null` takes one away. */
export type Changes<T = Fields> = { [Name in keyof T]?: T[Name] | null };

/** When a change may be made. */
export interface Condition {
  /** Only if the document still has this revision; else 412 `DB_004`. */
  ifRevision?: string;
  signal?: AbortSignal;
}

/** One document of a collection, by its id. */
export class DocumentRef<T = Fields> {
  readonly #connection: Connection;
  readonly #path: string;
  readonly id: string;

  constructor(connection: Connection, collection: string, id: string) {
    this.#connection = connection;
    this.#path = path`/api/collections/${collection}/documents/${id}`;
    this.id = id;
  }

  /** The document; `null` where there is none. */
  async get(options: { signal?: AbortSignal } = {}): Promise<Document<T> | null> {
    try {
      return await this.#connection.json<Document<T>>('GET', this.#path, { signal: options.signal });
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Whether it is there. */
  async exists(): Promise<boolean> {
    return (await this.get()) !== null;
  }

  /** Makes it this document, whether it was there or not. With `ifRevision` it must be there. */
  set(document: T, options: Condition = {}): Promise<Document<T>> {
    const query = options.ifRevision === undefined ? { upsert: 'true' } : {};
    return this.#connection.json('PUT', this.#path, { query, json: document, ...asked(options) });
  }

  /** Creates it; 409 where it is there. */
  create(document: T, options: { signal?: AbortSignal } = {}): Promise<Document<T>> {
    const headers = { 'if-none-match': '*' };
    return this.#connection.json('PUT', this.#path, { json: document, headers, signal: options.signal });
  }

  /** Changes the fields that are given (JSON Merge Patch). */
  update(changes: Changes<T>, options: Condition = {}): Promise<Document<T>> {
    return this.#connection.json('PATCH', this.#path, { json: changes, ...asked(options) });
  }

  /** Deletes it; `false` where there was none. */
  async delete(options: Condition = {}): Promise<boolean> {
    try {
      await this.#connection.send('DELETE', this.#path, asked(options));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}

function asked({ ifRevision, signal }: Condition) {
  const headers = { 'if-match': ifRevision === undefined ? undefined : `"${ifRevision}"` };
  return { headers, signal };
}

/** Whether what was asked for is not there, and not the way to it. */
export function isMissing(error: unknown): boolean {
  return error instanceof EvokeError && error.status === 404 && error.code !== 'API_002';
}
