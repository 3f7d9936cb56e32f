// Middleware for HTTP functions, and what hooks return.

export { middleware } from './middleware.ts';
export type { Handler, Middleware, Next } from './middleware.ts';
export { cors } from './cors.ts';
export type { CorsOptions } from './cors.ts';
export { auth } from './auth.ts';
export type { AuthOptions, Caller } from './auth.ts';
export { rateLimit } from './rate-limit.ts';
export type { RateLimitOptions } from './rate-limit.ts';
export { validate } from './validate.ts';
export type { Schema, StandardSchema, Validated } from './validate.ts';
export { compile } from './schema.ts';
export type { JsonSchema } from './schema.ts';
export { reject } from '@evoke/sdk';
export type {
  AuthEvent,
  CloudEvent,
  Context,
  DatabaseEvent,
  ScheduleEvent,
  StorageEvent,
  WebhookEvent,
} from '@evoke/sdk';
