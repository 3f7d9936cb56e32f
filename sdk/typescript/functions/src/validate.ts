// What a request has to look like.

import type { Context } from '@evoke/sdk';
import { refusal, type Middleware } from './middleware.ts';
import { compile, type JsonSchema } from './schema.ts';

/** One thing that is wrong. */
export interface Wrong {
  field: string;
  message: string;
}

/** The interface of Standard Schema: Zod, Valibot, ArkType and others have it. */
export interface StandardSchema<Output = unknown> {
  '~standard': {
    version: 1;
    vendor: string;
    validate(value: unknown): StandardResult<Output> | Promise<StandardResult<Output>>;
  };
}

type StandardResult<Output> =
  | { value: Output; issues?: undefined }
  | { issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[] };

/** A JSON Schema, or a schema of a library. */
export type Schema = JsonSchema | StandardSchema;

/** What is looked at. */
export interface Validated {
  /** The body, as JSON. */
  body?: Schema;
  /** The query: texts; those that are repeated are arrays. */
  query?: Schema;
  /** The parameters of the path: texts. */
  params?: Schema;
}

type Part = keyof Validated;
type Check = (value: unknown) => Promise<{ value: unknown; wrong: Wrong[] }>;

const PARTS: readonly Part[] = ['body', 'query', 'params'];

/**
 * Refuses with 422 what does not fit: `validate(schema)` looks at the body, `validate({ body, query,
 * params })` at more. What fits is in `context.valid`, as the schema made it; the request can still be
 * read.
 */
export function validate(schema: Schema | Validated): Middleware {
  const checks = checksOf(schema);
  return async (request, context, next) => {
    const problems: Wrong[] = [];
    const valid: Record<string, unknown> = {};
    for (const [part, check] of checks) {
      const read = await valueOf(part, request, context);
      if (read.wrong !== undefined) return refusal(400, 'API_001', read.wrong);
      const { value, wrong } = await check(read.value);
      const prefix = checks.length === 1 && part === 'body' ? '' : part;
      for (const { field, message } of wrong)
        problems.push({ field: [prefix, field].filter(Boolean).join(field.startsWith('[') ? '' : '.'), message });
      valid[part] = value;
    }
    if (problems.length > 0) return refusal(422, 'API_001', 'the request does not fit', { problems });
    Object.defineProperty(context, 'valid', { value: valid, configurable: true, enumerable: true });
    return next();
  };
}

function checksOf(schema: Schema | Validated): [Part, Check][] {
  const isParts =
    schema !== null && typeof schema === 'object' && !('~standard' in schema) &&
    Object.keys(schema).length > 0 && Object.keys(schema).every((key) => PARTS.includes(key as Part));
  if (!isParts) return [['body', checkOf(schema as Schema)]];
  return Object.entries(schema as Validated).map(([part, one]) => [part as Part, checkOf(one as Schema)]);
}

function checkOf(schema: Schema): Check {
  if (isStandard(schema)) {
    return async (value) => {
      const result = await schema['~standard'].validate(value);
      if (result.issues === undefined) return { value: result.value, wrong: [] };
      return { value, wrong: result.issues.map(({ message, path = [] }) => ({ field: fieldOf(path), message })) };
    };
  }
  const check = compile(schema);
  return async (value) => ({ value, wrong: check(value) });
}

/** Some libraries make their schemas functions. */
const isStandard = (schema: Schema): schema is StandardSchema =>
  schema !== null && ['object', 'function'].includes(typeof schema) && '~standard' in (schema as object);

function fieldOf(path: readonly (PropertyKey | { key: PropertyKey })[]): string {
  const keys = path.map((part) => (typeof part === 'object' ? part.key : part));
  return keys.reduce<string>((all, key) => (typeof key === 'number' ? `${all}[${key}]` : all === '' ? String(key) : `${all}.${String(key)}`), '');
}

async function valueOf(part: Part, request: Request, context: Context): Promise<{ value?: unknown; wrong?: string }> {
  if (part === 'params') return { value: context.params ?? {} };
  if (part === 'query') return { value: queryOf(new URL(request.url)) };
  const text = await request.clone().text();
  if (text === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { wrong: `the body is no JSON: ${(error as Error).message}` };
  }
}

function queryOf(url: URL): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name);
    query[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return query;
}
