// A checker of JSON Schemas, for what requests look like. It knows the keywords of the table below;
// a schema with others is refused when it is compiled, so that nothing passes unseen.

import { FORMATS } from './formats.ts';
import type { Wrong } from './validate.ts';

/** A JSON Schema (2020-12) of the keywords that are known. */
export type JsonSchema = boolean | { [keyword: string]: unknown };

/** What checks one value: `at` is its field. */
type Check = (value: unknown, at: string, wrong: Wrong[]) => void;
type Keyword = (given: never, schema: Record<string, unknown>, compiler: Compiler) => Check;

/** Problems of a value that are told. */
const WRONG_MAX = 20;
/** Values are not followed deeper. */
const DEPTH_MAX = 100;

/** Words that say something about the schema and check nothing. */
const NOTES = new Set([
  '$schema', '$id', '$comment', '$defs', 'definitions', 'title', 'description', 'default', 'examples',
  'deprecated', 'readOnly', 'writeOnly', 'contentMediaType', 'contentEncoding',
]);
/** Words that others look at. */
const COMPANIONS = new Set(['then', 'else', 'minContains', 'maxContains']);

/** Makes a schema a function that tells what is wrong with a value. */
export function compile(schema: JsonSchema): (value: unknown) => Wrong[] {
  const check = new Compiler(schema).check(schema, '#');
  return (value) => {
    const wrong: Wrong[] = [];
    check(value, '', wrong);
    return wrong.slice(0, WRONG_MAX);
  };
}

class Compiler {
  readonly #root: JsonSchema;
  readonly #known = new Map<object, Check>();
  #depth = 0;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  /** The check of a schema that is at `place`. */
  check(schema: unknown, place: string): Check {
    if (schema === true) return () => undefined;
    if (schema === false) return (_, field, wrong) => void wrong.push({ field, message: 'is not allowed' });
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
      throw new TypeError(`${place}: expected a schema, an object, got ${JSON.stringify(schema)}`);
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    // A schema may refer to itself: until it is done it has a check that asks for it.
    this.#known.set(schema, (...args) => (this.#known.get(schema) as Check)(...args));
    const check = this.#all(schema as Record<string, unknown>, place);
    this.#known.set(schema, check);
    return check;
  }

  /** The schema a reference names. */
  resolve(reference: string): Check {
    if (!reference.startsWith('#')) throw new TypeError(`$ref ${JSON.stringify(reference)}: only references into the schema itself are known`);
    let target: unknown = this.#root;
    for (const part of reference.slice(1).split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const isThere = typeof target === 'object' && target !== null && Object.hasOwn(target, key);
      if (!isThere) throw new TypeError(`$ref ${JSON.stringify(reference)}: there is nothing`);
      target = (target as Record<string, unknown>)[key];
    }
    return this.check(target, reference);
  }

  #all(schema: Record<string, unknown>, place: string): Check {
    const checks: Check[] = [];
    for (const [word, given] of Object.entries(schema)) {
      const keyword = KEYWORDS[word];
      if (keyword !== undefined && Object.hasOwn(KEYWORDS, word)) checks.push(keyword(given as never, schema, this));
      else if (!NOTES.has(word) && !COMPANIONS.has(word) && !word.startsWith('x-'))
        throw new TypeError(`${place}: the keyword ${JSON.stringify(word)} is not known`);
    }
    return (value, at, wrong) => {
      if (this.#depth >= DEPTH_MAX) return void wrong.push({ field: at, message: 'is too deep' });
      this.#depth++;
      try {
        for (const check of checks) if (wrong.length < WRONG_MAX) check(value, at, wrong);
      } finally {
        this.#depth--;
      }
    };
  }
}

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : value === undefined ? 'nothing' : typeof value;

const isType = (value: unknown, type: string): boolean =>
  type === 'integer' ? Number.isInteger(value) : typeOf(value) === type;

type Plain = Record<string, unknown>;
const isObject = (value: unknown): value is Plain => typeOf(value) === 'object';
const say = (wrong: Wrong[], field: string, message: string) => void wrong.push({ field, message });
const below = (at: string, key: string) => (at === '' ? key : `${at}.${key}`);
const passes = (check: Check, value: unknown): boolean => {
  const wrong: Wrong[] = [];
  check(value, '', wrong);
  return wrong.length === 0;
};
/** Characters as JSON Schema counts them. */
const lengthOf = (text: string) => [...text].length;

/** A text that is the same for equal values, whatever the order of their fields. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'undefined';
  const fields = Object.keys(value).sort();
  return `{${fields.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join()}}`;
}

const texts = (is: (text: string) => boolean, message: string): Check => (value, at, wrong) => {
  if (typeof value === 'string' && !is(value)) say(wrong, at, message);
};
const numbers = (is: (number: number) => boolean, message: string): Check => (value, at, wrong) => {
  if (typeof value === 'number' && !is(value)) say(wrong, at, message);
};
const lists = (is: (list: unknown[]) => boolean, message: string): Check => (value, at, wrong) => {
  if (Array.isArray(value) && !is(value)) say(wrong, at, message);
};
const objects = (check: (value: Plain, at: string, wrong: Wrong[]) => void): Check => (value, at, wrong) => {
  if (isObject(value)) check(value, at, wrong);
};
const patternOf = (pattern: string) => new RegExp(pattern, 'u');
const all = (schemas: unknown[], compiler: Compiler, word: string) =>
  schemas.map((schema, at) => compiler.check(schema, `${word}[${at}]`));
const byName = (schemas: Plain, compiler: Compiler) =>
  Object.entries(schemas).map(([name, schema]) => [name, compiler.check(schema, name)] as const);

/** A multiple, as far as decimal fractions can be told apart in binary ones. */
function isMultiple(number: number, of: number): boolean {
  const times = number / of;
  return Math.abs(times - Math.round(times)) <= Math.abs(times) * 1e-12;
}

const KEYWORDS: Record<string, Keyword> = {
  type: (given: string | string[]) => {
    const types = [given].flat();
    const expected = types.join(' or ');
    return (value, at, wrong) => {
      if (types.some((type) => isType(value, type))) return;
      say(wrong, at, value === undefined ? 'is missing' : `expected ${expected}, got ${typeOf(value)}`);
    };
  },
  enum: (given: unknown[]) => {
    const known = new Set(given.map(canonical));
    const shown = given.map((one) => JSON.stringify(one)).join(', ');
    return (value, at, wrong) => void (known.has(canonical(value)) || say(wrong, at, `expected one of ${shown}`));
  },
  const: (given: unknown) => {
    const wanted = canonical(given);
    return (value, at, wrong) => void (canonical(value) === wanted || say(wrong, at, `expected ${JSON.stringify(given)}`));
  },
  $ref: (given: string, _, compiler) => compiler.resolve(given),

  minLength: (least: number) => texts((text) => lengthOf(text) >= least, `is shorter than ${least} characters`),
  maxLength: (most: number) => texts((text) => lengthOf(text) <= most, `is longer than ${most} characters`),
  pattern: (given: string) => {
    const pattern = patternOf(given);
    return texts((text) => pattern.test(text), `does not match ${given}`);
  },
  format: (given: string) => {
    const format = FORMATS[given];
    if (format === undefined || !Object.hasOwn(FORMATS, given)) throw new TypeError(`the format ${JSON.stringify(given)} is not known`);
    return texts(format, `is no ${given}`);
  },

  minimum: (least: number) => numbers((number) => number >= least, `is less than ${least}`),
  maximum: (most: number) => numbers((number) => number <= most, `is more than ${most}`),
  exclusiveMinimum: (least: number) => numbers((number) => number > least, `is not more than ${least}`),
  exclusiveMaximum: (most: number) => numbers((number) => number < most, `is not less than ${most}`),
  multipleOf: (of: number) => numbers((number) => isMultiple(number, of), `is no multiple of ${of}`),

  minItems: (least: number) => lists((list) => list.length >= least, `has fewer than ${least} items`),
  maxItems: (most: number) => lists((list) => list.length <= most, `has more than ${most} items`),
  uniqueItems: (given: boolean) =>
    lists((list) => !given || new Set(list.map(canonical)).size === list.length, 'has an item twice'),
  prefixItems: (given: unknown[], _, compiler) => {
    const checks = all(given, compiler, 'prefixItems');
    return (value, at, wrong) => {
      if (Array.isArray(value)) checks.slice(0, value.length).forEach((check, n) => check(value[n], `${at}[${n}]`, wrong));
    };
  },
  items: (given: unknown, schema, compiler) => {
    if (Array.isArray(given)) throw new TypeError('a list of schemas for items is called prefixItems');
    const check = compiler.check(given, 'items');
    const from = Array.isArray(schema['prefixItems']) ? schema['prefixItems'].length : 0;
    return (value, at, wrong) => {
      if (Array.isArray(value)) value.slice(from).forEach((one, n) => check(one, `${at}[${n + from}]`, wrong));
    };
  },
  contains: (given: unknown, schema, compiler) => {
    const check = compiler.check(given, 'contains');
    const { minContains: least = 1, maxContains: most = Infinity } = schema as { minContains?: number; maxContains?: number };
    const count = (list: unknown[]) => list.filter((one) => passes(check, one)).length;
    return lists((list) => count(list) >= least && count(list) <= most, 'does not have the items it needs');
  },

  required: (names: string[]) =>
    objects((value, at, wrong) => {
      for (const name of names) if (!Object.hasOwn(value, name)) say(wrong, below(at, name), 'is missing');
    }),
  properties: (given: Plain, _, compiler) => {
    const checks = byName(given, compiler);
    return objects((value, at, wrong) => {
      for (const [name, check] of checks) if (Object.hasOwn(value, name)) check(value[name], below(at, name), wrong);
    });
  },
  patternProperties: (given: Plain, _, compiler) => {
    const checks = byName(given, compiler).map(([name, check]) => [patternOf(name), check] as const);
    return objects((value, at, wrong) => {
      for (const [pattern, check] of checks)
        for (const key of Object.keys(value)) if (pattern.test(key)) check(value[key], below(at, key), wrong);
    });
  },
  additionalProperties: (given: unknown, schema, compiler) => {
    const check = compiler.check(given, 'additionalProperties');
    const known = new Set(Object.keys((schema['properties'] ?? {}) as Plain));
    const patterns = Object.keys((schema['patternProperties'] ?? {}) as Plain).map(patternOf);
    return objects((value, at, wrong) => {
      for (const key of Object.keys(value))
        if (!known.has(key) && !patterns.some((one) => one.test(key))) check(value[key], below(at, key), wrong);
    });
  },
  propertyNames: (given: unknown, _, compiler) => {
    const check = compiler.check(given, 'propertyNames');
    return objects((value, at, wrong) => {
      for (const key of Object.keys(value)) if (!passes(check, key)) say(wrong, below(at, key), 'is no name that is allowed');
    });
  },
  minProperties: (least: number) =>
    objects((value, at, wrong) => void (Object.keys(value).length >= least || say(wrong, at, `has fewer than ${least} fields`))),
  maxProperties: (most: number) =>
    objects((value, at, wrong) => void (Object.keys(value).length <= most || say(wrong, at, `has more than ${most} fields`))),
  dependentRequired: (given: Record<string, string[]>) =>
    objects((value, at, wrong) => {
      for (const [name, needed] of Object.entries(given))
        for (const other of Object.hasOwn(value, name) ? needed : [])
          if (!Object.hasOwn(value, other)) say(wrong, below(at, other), `is missing, since there is ${name}`);
    }),

  allOf: (given: unknown[], _, compiler) => {
    const checks = all(given, compiler, 'allOf');
    return (value, at, wrong) => checks.forEach((check) => check(value, at, wrong));
  },
  anyOf: (given: unknown[], _, compiler) => {
    const checks = all(given, compiler, 'anyOf');
    return (value, at, wrong) => {
      const tried = checks.map((check) => {
        const own: Wrong[] = [];
        check(value, at, own);
        return own;
      });
      if (tried.some((own) => own.length === 0)) return;
      // What comes nearest is what was probably meant.
      const nearest = tried.sort((a, b) => a.length - b.length)[0] ?? [];
      say(wrong, at, `fits none of the allowed forms${nearest[0] ? ` (${nearest[0].field || 'it'} ${nearest[0].message})` : ''}`);
    };
  },
  oneOf: (given: unknown[], _, compiler) => {
    const checks = all(given, compiler, 'oneOf');
    return (value, at, wrong) => {
      const fits = checks.filter((check) => passes(check, value)).length;
      if (fits !== 1) say(wrong, at, `fits ${fits === 0 ? 'none' : 'more than one'} of the allowed forms`);
    };
  },
  not: (given: unknown, _, compiler) => {
    const check = compiler.check(given, 'not');
    return (value, at, wrong) => void (passes(check, value) && say(wrong, at, 'has a form that is not allowed'));
  },
  if: (given: unknown, schema, compiler) => {
    const check = compiler.check(given, 'if');
    const then = compiler.check(schema['then'] ?? true, 'then');
    const other = compiler.check(schema['else'] ?? true, 'else');
    return (value, at, wrong) => (passes(check, value) ? then : other)(value, at, wrong);
  },
};
