// The services of Evoke, for functions and for apps.

export { createClient, db, storage, auth, events, functions, http, servicesOf } from './client.ts';
export type { Client, ClientOptions, Services } from './client.ts';
export type { Call } from './call.ts';
export { secrets } from './secrets.ts';
export type { Secrets } from './secrets.ts';
export { reject } from './reject.ts';
export type { Rejection } from './reject.ts';
export { EvokeError } from './error.ts';
export type { Problem } from './error.ts';
export { memoryStore, webStore } from './session.ts';
export type { Session, SessionStore } from './session.ts';
export type { FetchOptions, RetryOptions } from './retry.ts';
export type { Collection, CollectionDefinition, CollectionInfo, Database } from './database.ts';
export type { Comparable, Operator, Query, Tally } from './query.ts';
export type { ChangeAction, ChangesOptions, DocumentChange } from './changes.ts';
export type { Changes, Document, DocumentRef, Fields, NewDocument, Recorded } from './document.ts';
export type { Transaction, TransactionCollection, TransactionDocument } from './transaction.ts';
export type { Bucket, BucketDefinition, BucketInfo, FilePage, ListOptions, Storage } from './storage.ts';
export type { Download, DownloadOptions, FileData, FileInfo, FileRef, SignOptions, UploadOptions } from './file.ts';
export type { Auth } from './auth.ts';
export type { NewUser, TokenUser, User, UserChanges, Users } from './user.ts';
export type { Events, NewEvent, Published, PublishOptions, PublishRequest } from './events.ts';
export type { Accepted, Functions, InvokeOptions } from './functions.ts';
export type {
  AuthEvent,
  CloudEvent,
  Context,
  DatabaseData,
  DatabaseEvent,
  ScheduleEvent,
  StorageEvent,
  WebhookEvent,
} from './types.ts';
