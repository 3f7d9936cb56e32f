// Several changes, all or none, based on what was read.

import { path, type Connection } from './connection.ts';
import { isMissing, type Changes, type Document, type Fields, type NewDocument } from './document.ts';
import { EvokeError } from './error.ts';

type Op = 'create' | 'update' | 'replace' | 'upsert' | 'delete' | 'check';

interface Operation {
  op: Op;
  collection: string;
  id?: string | undefined;
  document?: unknown;
  if_match?: string | undefined;
  /** Of a check: there must be none. */
  revision?: null;
}

/** Changes that are made together, when the function that was given has returned. */
export class Transaction {
  readonly #connection: Connection;
  /** Each document is asked for once, however often it is read at once. */
  readonly #asked = new Map<string, Promise<Document | null>>();
  readonly #read = new Map<string, Document | null>();
  readonly #written = new Map<string, Operation>();
  readonly #created: Operation[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A collection, within the transaction. */
  collection<T = Fields>(name: string): TransactionCollection<T> {
    return new TransactionCollection<T>(this, name);
  }

  /** Reads a document; what was read must still be so when the changes are made. */
  async read<T>(collection: string, id: string): Promise<Document<T> | null> {
    const key = keyOf(collection, id);
    if (this.#written.has(key))
      throw new EvokeError(`${collection}/${id} was changed in this transaction: read it before`);
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#fetch(collection, id, key);
      this.#asked.set(key, asked);
    }
    return (await asked) as Document<T> | null;
  }

  /** Notes a change. */
  write(op: Op, collection: string, id: string | undefined, document?: unknown): void {
    if (id === undefined) return void this.#created.push({ op, collection, document });
    const key = keyOf(collection, id);
    if (this.#written.has(key))
      throw new EvokeError(`${collection}/${id} is changed twice in one transaction`);
    this.#written.set(key, { op, collection, id, document });
  }

  /** Whether what was read decided anything, so that it makes sense to begin anew. */
  get hasRead(): boolean {
    return this.#read.size > 0;
  }

  /** Makes the changes, if everything that was read is still so. */
  async commit(): Promise<void> {
    const checks: Operation[] = [];
    for (const [key, document] of this.#read) {
      if (this.#written.has(key)) continue;
      const guard = document === null ? { revision: null } : { if_match: document._revision };
      checks.push({ op: 'check', ...namesOf(key), ...guard });
    }
    const written = [...this.#written].map(([key, operation]) => guarded(operation, this.#read.get(key)));
    const changes = [...written, ...this.#created];
    // What was read in one look is as consistent as it gets.
    if (changes.length === 0 && checks.length < 2) return;
    const operations = [...checks, ...changes];
    await this.#connection.send('POST', '/api/transactions', { json: { operations } });
  }

  async #fetch(collection: string, id: string, key: string): Promise<Document | null> {
    let document: Document | null;
    try {
      document = await this.#connection.json('GET', path`/api/collections/${collection}/documents/${id}`);
    } catch (error) {
      if (!isMissing(error)) {
        this.#asked.delete(key);
        throw error;
      }
      document = null;
    }
    this.#read.set(key, document);
    return document;
  }
}

/** A change that is made only if what was read is still so. */
function guarded(operation: Operation, known: Document | null | undefined): Operation {
  // What was not there may only be created, so that nobody else has done so meanwhile.
  if (known === null) return operation.op === 'upsert' ? { ...operation, op: 'create' } : operation;
  return { ...operation, if_match: known?._revision };
}

/** A collection, within a transaction. */
export class TransactionCollection<T = Fields> {
  readonly #transaction: Transaction;
  readonly #name: string;

  constructor(transaction: Transaction, name: string) {
    this.#transaction = transaction;
    this.#name = name;
  }

  /** Creates a document. */
  create(document: NewDocument<T>): void {
    this.#transaction.write('create', this.#name, (document as { id?: string }).id, document);
  }

  /** One document. */
  doc(id: string): TransactionDocument<T> {
    return new TransactionDocument<T>(this.#transaction, this.#name, id);
  }
}

/** A document, within a transaction. */
export class TransactionDocument<T = Fields> {
  readonly #transaction: Transaction;
  readonly #collection: string;
  readonly id: string;

  constructor(transaction: Transaction, collection: string, id: string) {
    this.#transaction = transaction;
    this.#collection = collection;
    this.id = id;
  }

  /** What is there; `null` where there is nothing. */
  get(): Promise<Document<T> | null> {
    return this.#transaction.read<T>(this.#collection, this.id);
  }

  create(document: T): void {
    this.#transaction.write('create', this.#collection, this.id, document);
  }

  set(document: T): void {
    this.#transaction.write('upsert', this.#collection, this.id, document);
  }

  update(changes: Changes<T>): void {
    this.#transaction.write('update', this.#collection, this.id, changes);
  }

  delete(): void {
    this.#transaction.write('delete', this.#collection, this.id);
  }
}

const keyOf = (collection: string, id: string) => JSON.stringify([collection, id]);

function namesOf(key: string): { collection: string; id: string } {
  const [collection, id] = JSON.parse(key) as [string, string];
  return { collection, id };
}
