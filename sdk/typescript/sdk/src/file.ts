// One file of a bucket.

import { segments, path, type Connection } from './connection.ts';
import { isMissing } from './document.ts';
import { EvokeError } from './error.ts';
import { uploadInParts } from './upload.ts';

/** What is known of a file. */
export interface FileInfo {
  name: string;
  size_bytes: number;
  content_type: string;
  /** The hash of its bytes, without quotes. */
  etag: string;
  /** What its sender keeps with it; names are in small letters. */
  metadata: Record<string, string>;
  bucket: string;
  created_at: string;
  updated_at: string;
}

/** What can be uploaded. */
export type FileData =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** How a file is uploaded. */
export interface UploadOptions {
  /** A media type; else what the name says of it. */
  contentType?: string;
  metadata?: Record<string, string>;
  /** Only if the file still has this etag; else 412. */
  ifMatch?: string;
  /** Only if there is no file of this name; else 412. */
  ifNew?: boolean;
  signal?: AbortSignal;
}

/** How a file is downloaded. */
export interface DownloadOptions {
  /** Bytes from the first, up to and without the second; a negative first counts from the end. */
  range?: [from: number, to?: number];
  signal?: AbortSignal;
}

export interface SignOptions {
  /** What may be done with the address. */
  method?: 'GET' | 'PUT';
  /** How long: seconds, or a text like `15m`. */
  expiresIn?: number | string;
}

/** What carries an entry of metadata in the headers of a file. */
const METADATA_PREFIX = 'x-meta-';
/** What is larger goes up in parts, so that a broken connection costs one of them. */
const WHOLE_MAX = 64 << 20;

/** A file, by its name. */
export class FileRef {
  readonly #connection: Connection;
  readonly #bucket: string;
  readonly name: string;

  constructor(connection: Connection, bucket: string, name: string) {
    this.#connection = connection;
    this.#bucket = bucket;
    this.name = name;
  }

  /**
   * Its bytes. Awaited they are one `Uint8Array`; `.stream()`, `.text()`, `.json()` and `.blob()`
   * give them in another form.
   */
  download(options: DownloadOptions = {}): Download {
    return new Download(() => this.#open(options));
  }

  /** Its bytes as they come. */
  stream(options: DownloadOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.download(options).stream();
  }

  /** Makes it these bytes, whether it was there or not. */
  async upload(data: FileData, options: UploadOptions = {}): Promise<FileInfo> {
    const isLarge = sizeOf(data) > WHOLE_MAX && options.ifMatch === undefined && !options.ifNew;
    if (isLarge) return uploadInParts(this.#connection, { bucket: this.#bucket, name: this.name }, data as Blob, options);
    const headers: Record<string, string | undefined> = {
      'content-type': options.contentType ?? (data instanceof Blob && data.type !== '' ? data.type : undefined),
      'if-match': options.ifMatch === undefined ? undefined : `"${options.ifMatch}"`,
      'if-none-match': options.ifNew ? '*' : undefined,
    };
    for (const [name, value] of Object.entries(options.metadata ?? {}))
      headers[METADATA_PREFIX + name.toLowerCase()] = encodeURIComponent(value);
    // A text has a type of its own, which would go before what the name says.
    const body = typeof data === 'string' ? new TextEncoder().encode(data) : (data as BodyInit);
    return this.#connection.json('PUT', this.#path(), { body, headers, timeout: 0, signal: options.signal });
  }

  /** Deletes it; `false` where there was none. */
  async delete(options: { signal?: AbortSignal } = {}): Promise<boolean> {
    try {
      await this.#connection.send('DELETE', this.#path(), { signal: options.signal });
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Whether it is there. */
  async exists(): Promise<boolean> {
    return (await this.metadata()) !== null;
  }

  /** What is known of it; `null` where there is none. */
  async metadata(): Promise<FileInfo | null> {
    try {
      return await this.#connection.json('GET', this.#path(), { query: { info: 'true' } });
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Changes its type, or entries of what is kept with it: `null` takes one away. Its bytes stay. */
  update(changes: { contentType?: string; metadata?: Record<string, string | null> | null }): Promise<FileInfo> {
    const json = { content_type: changes.contentType, metadata: changes.metadata };
    return this.#connection.json('PATCH', this.#path(), { json });
  }

  /** Copies it, within its bucket or to another one. */
  copy(to: string, options: { bucket?: string } = {}): Promise<FileInfo> {
    const json = { from: this.name, to, to_bucket: options.bucket };
    return this.#connection.json('POST', path`/api/buckets/${this.#bucket}/copy`, { json });
  }

  /** An address that works without a key for a while: to read it, or with PUT to write it. */
  async signedUrl(options: SignOptions = {}): Promise<string> {
    const { method = 'GET', expiresIn } = options;
    const json = { name: this.name, method, expires_in: expiresIn };
    const { url } = await this.#connection.json<{ url: string }>(
      'POST',
      path`/api/buckets/${this.#bucket}/sign`,
      { json },
    );
    return new URL(url, this.#connection.address('/')).href;
  }

  async #open({ range, signal }: DownloadOptions): Promise<Response> {
    const headers = { range: range === undefined ? undefined : `bytes=${spelled(range)}` };
    return this.#connection.send('GET', this.#path(), { headers, signal });
  }

  #path(): string {
    return `${path`/api/buckets/${this.#bucket}/files/`}${segments(this.name)}`;
  }
}

/** The bytes of a file, asked for when they are wanted. */
export class Download implements PromiseLike<Uint8Array> {
  readonly #open: () => Promise<Response>;

  constructor(open: () => Promise<Response>) {
    this.#open = open;
  }

  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#open()).arrayBuffer());
  }

  async stream(): Promise<ReadableStream<Uint8Array>> {
    return (await this.#open()).body ?? new Blob([]).stream();
  }

  async text(): Promise<string> {
    return (await this.#open()).text();
  }

  async json<T = unknown>(): Promise<T> {
    return (await this.#open()).json() as Promise<T>;
  }

  async blob(): Promise<Blob> {
    return (await this.#open()).blob();
  }

  then<A = Uint8Array, B = never>(
    done?: ((bytes: Uint8Array) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.bytes().then(done, failed);
  }

  catch<B = never>(failed?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Uint8Array | B> {
    return this.bytes().catch(failed);
  }

  finally(ended?: (() => void) | null): Promise<Uint8Array> {
    return this.bytes().finally(ended);
  }
}

/** How many bytes there are, where that is known. */
function sizeOf(data: FileData): number {
  if (data instanceof Blob) return data.size;
  return (data as ArrayBuffer).byteLength ?? 0;
}

function spelled([from, to]: [number, number?]): string {
  if (from < 0 && to !== undefined) throw new EvokeError('a range from the end has no second number');
  return from < 0 ? String(from) : `${from}-${to === undefined ? '' : to - 1}`;
}
