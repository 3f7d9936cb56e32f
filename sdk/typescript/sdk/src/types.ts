// Events as functions get them.

import type { Services } from './client.ts';
import type { Fields, Recorded } from './document.ts';
import type { FileInfo } from './file.ts';
import type { TokenUser } from './user.ts';

/** An event in the CloudEvents JSON format. */
export interface CloudEvent<D = unknown, T extends string = string> {
  specversion: '1.0';
  id: string;
  source: string;
  type: T;
  subject?: string;
  time: string;
  datacontenttype?: string;
  data: D;
  /** The event this one goes back to, and how many executions lie between. */
  rootid?: string;
  causationid?: string;
  depth?: number;
  traceparent?: string;
  orderingkey?: string;
  /** The event of the log that this one repeats. */
  replayof?: string;
}

/** What a change of a document says; the document's own fields can be read of it, too. */
export type DatabaseData<T = Fields> = {
  document: Recorded<T> | null;
  previous_document: Recorded<T> | null;
  action: 'create' | 'update' | 'delete';
  collection: string;
  changed_fields: string[];
} & Partial<Recorded<T>>;

/** A document was created, updated or deleted. */
export interface DatabaseEvent<T = Fields> extends CloudEvent<DatabaseData<T>> {
  metadata: { documentId: string; collection: string; action: string; eventId: string; timestamp: string };
}

/** A file was uploaded or deleted. */
export type StorageEvent = CloudEvent<{
  action: 'upload' | 'delete';
  bucket: string;
  file: Pick<FileInfo, 'name' | 'size_bytes' | 'content_type' | 'etag' | 'metadata'>;
}>;

/** Somebody signed up, in or out, or did something to an account. */
export type AuthEvent = CloudEvent<{
  user: { id: string; email: string; created_at: string };
  action: 'signup' | 'login' | 'logout' | 'password_reset' | 'email_verify';
  metadata: { ip: string | null; user_agent: string | null };
}>;

/** A schedule fired. */
export type ScheduleEvent<I = unknown> = CloudEvent<{
  schedule_id: string;
  name: string;
  scheduled_time: string;
  fired_at: string;
  timezone: string;
  expression: string;
  missed: number;
  input: I;
}>;

/** A webhook came in. */
export type WebhookEvent = CloudEvent<{
  method: string;
  path: string;
  headers: Record<string, string>;
  /** As it came. */
  body: string;
  query: Record<string, string>;
  verified: boolean;
  webhook_id: string;
}>;

/** What a handler gets beside its event or request. */
export interface Context {
  readonly requestId?: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly trigger: { kind: string; name: string };
  readonly function: { name: string; version: number };
  readonly traceparent?: string;
  /** Who calls, where the route asks. An issuer need not tell an address. */
  readonly user: TokenUser | null;
  readonly params: Record<string, string> | undefined;
  /** What `validate` of `@evoke/functions` found to fit, as the schema made it. */
  readonly valid?: { body?: any; query?: any; params?: any };
  /** Of the call: what the SDK sends, good while it lasts. */
  readonly token: string;
  /** The services of the server, bound to this call. */
  readonly evoke: Services;
  readonly env: Record<string, string | undefined>;
  readonly signal: AbortSignal;
  readonly deadline: Date;
  readonly isReplay: boolean;
  readonly isTestRun: boolean;
  readonly batch?: { size: number };
  readonly log: Record<'debug' | 'info' | 'warn' | 'error', (...args: unknown[]) => void>;
  remainingMs(): number;
}
