// Buckets of files.

import { path, type Connection } from './connection.ts';
import { listed } from './database.ts';
import { FileRef, type FileInfo } from './file.ts';

/** What a bucket takes, and whom it serves. */
export interface BucketDefinition {
  /** Bytes of a file at most; 5 GiB. */
  max_file_bytes?: number;
  /** Media types: `image/png`, `image/*`; all if empty. */
  allowed_types?: string[];
  /** Whether everybody may read its files. */
  public?: boolean;
}

/** A bucket as the server knows it. */
export interface BucketInfo extends Required<BucketDefinition> {
  name: string;
  created_at: string;
  updated_at: string;
}

/** Which files. */
export interface ListOptions {
  prefix?: string;
  /** Files that have this behind the prefix are told as one folder. */
  delimiter?: string;
  /** Files in the page. */
  limit?: number;
  /** From the page before. */
  cursor?: string;
}

/** A page of files. */
export interface FilePage {
  data: FileInfo[];
  /** With a delimiter: the folders. */
  prefixes: string[];
  next_cursor: string | null;
}

/** A bucket. */
export class Bucket {
  readonly #connection: Connection;
  readonly #path: string;
  readonly name: string;

  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.#path = path`/api/buckets/${name}`;
    this.name = name;
  }

  /** A file, whether it is there yet or not. */
  file(name: string): FileRef {
    return new FileRef(this.#connection, this.name, name);
  }

  /** All files whose names begin like this. */
  list(prefix?: string): Promise<FileInfo[]> {
    return listed<FileInfo>(this.#connection, `${this.#path}/files`, { prefix });
  }

  /** A page of files, and of folders where there is a delimiter. */
  page(options: ListOptions = {}): Promise<FilePage> {
    return this.#connection.json('GET', `${this.#path}/files`, { query: { ...options } });
  }

  /** Deletes all files whose names begin like this, each with its event and its hooks; how many. */
  async deleteAll(prefix: string): Promise<number> {
    let count = 0;
    for (;;) {
      const ask = { query: { prefix } };
      const done = await this.#connection.json<{ deleted: number; has_more: boolean }>('DELETE', `${this.#path}/files`, ask);
      count += done.deleted;
      if (!done.has_more) return count;
    }
  }

  /** What it takes. */
  info(): Promise<BucketInfo> {
    return this.#connection.json('GET', this.#path);
  }

  /** Makes it a bucket that takes this. */
  define(definition: BucketDefinition = {}): Promise<BucketInfo> {
    return this.#connection.json('PUT', this.#path, { json: definition });
  }

  /** Deletes it. */
  async drop(): Promise<void> {
    await this.#connection.send('DELETE', this.#path);
  }
}

/** The storage. */
export class Storage {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A bucket, whether it is there yet or not. */
  bucket(name: string): Bucket {
    return new Bucket(this.#connection, name);
  }

  /** The buckets there are. */
  buckets(): Promise<BucketInfo[]> {
    return listed<BucketInfo>(this.#connection, '/api/buckets');
  }
}
