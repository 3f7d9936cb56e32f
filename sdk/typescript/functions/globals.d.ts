// What functions can use without an import. Name it in tsconfig.json:
// { "compilerOptions": { "types": ["@evoke/functions/globals"] } }

import type * as Functions from './dist/index.js';
import type * as Sdk from '@evoke/sdk';

declare global {
  const db: typeof Sdk.db;
  const storage: typeof Sdk.storage;
  const events: typeof Sdk.events;
  const functions: typeof Sdk.functions;
  const secrets: typeof Sdk.secrets;
  const auth: typeof Functions.auth;
  const middleware: typeof Functions.middleware;
  const cors: typeof Functions.cors;
  const rateLimit: typeof Functions.rateLimit;
  const validate: typeof Functions.validate;

  /** Of the requests a handler gets: the token can be read as Node's own requests have it. */
  interface Headers {
    readonly authorization?: string | undefined;
  }

  type DatabaseEvent<T = Sdk.Fields> = Sdk.DatabaseEvent<T>;
  type AuthEvent = Sdk.AuthEvent;
  type ScheduleEvent<I = unknown> = Sdk.ScheduleEvent<I>;
  type WebhookEvent = Sdk.WebhookEvent;
}

export {};
