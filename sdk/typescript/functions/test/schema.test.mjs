import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compile } from '../dist/index.js';

/** Schema, values that fit, values that do not. */
const TABLE = [
  [true, [1, null, {}], []],
  [false, [], [1, null, {}]],
  [{ type: 'integer' }, [1, 1.0, -3], [1.5, '1', null]],
  [{ type: ['string', 'null'] }, ['a', null], [1, [], {}]],
  [{ type: 'array' }, [[]], [{}, 'a']],
  [{ type: 'object' }, [{}], [[], null]],
  [{ enum: [1, 'a', { b: [1], a: null }] }, [1, 'a', { a: null, b: [1] }], ['1', { a: null }]],
  [{ const: [1, { x: 2 }] }, [[1, { x: 2 }]], [[1], [{ x: 2 }, 1]]],
  [{ minLength: 2, maxLength: 3 }, ['ab', '😀😀😀', 5], ['a', 'abcd']],
  [{ pattern: '^\\p{Lu}' }, ['Éa', 1], ['éa']],
  [{ minimum: 1, exclusiveMaximum: 3 }, [1, 2.9, 'x'], [0, 3]],
  [{ maximum: 3, exclusiveMinimum: 1 }, [3, 1.1], [1, 3.1]],
  [{ multipleOf: 0.01 }, [0.07, 19.99, 1e6], [0.075]],
  [{ minItems: 1, maxItems: 2, uniqueItems: true }, [[1], [1, 2], [{ a: 1 }, { a: 2 }], {}], [[], [1, 2, 3], [{ a: 1, b: 2 }, { b: 2, a: 1 }]]],
  [{ prefixItems: [{ type: 'string' }], items: { type: 'number' } }, [[], ['a'], ['a', 1, 2]], [[1], ['a', 'b']]],
  [{ contains: { const: 1 }, maxContains: 2 }, [[1], [0, 1, 1]], [[], [0], [1, 1, 1]]],
  [{ required: ['a'], properties: { a: { type: 'number' } } }, [{ a: 1 }, { a: 1, b: 2 }, 'no object'], [{}, { a: 'x' }]],
  [{ properties: { toString: { type: 'string' } } }, [{}], [{ toString: 1 }]],
  [{ required: ['constructor'] }, [{ constructor: 1 }], [{}]],
  [{ properties: { a: true }, patternProperties: { '^x-': { type: 'string' } }, additionalProperties: false }, [{ a: 1, 'x-b': '' }], [{ c: 1 }, { 'x-b': 1 }]],
  [{ additionalProperties: { type: 'number' } }, [{ a: 1 }], [{ a: '1' }]],
  [{ propertyNames: { maxLength: 2 }, minProperties: 1, maxProperties: 2 }, [{ ab: 1 }], [{}, { abc: 1 }, { a: 1, b: 1, c: 1 }]],
  [{ dependentRequired: { card: ['address'] } }, [{}, { card: 1, address: 2 }], [{ card: 1 }]],
  [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1.5], [0, 3]],
  [{ anyOf: [{ type: 'string' }, { minimum: 5 }] }, ['a', 5], [1]],
  [{ oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, [2, 3], [6, 1]],
  [{ not: { type: 'null' } }, [1], [null]],
  [{ if: { type: 'string' }, then: { minLength: 1 }, else: { type: 'number' } }, ['a', 1], ['', null]],
  [{ $ref: '#/$defs/a~1b', $defs: { 'a/b': { type: 'string' } } }, ['a'], [1]],
  [{ type: 'object', properties: { next: { $ref: '#' } }, additionalProperties: false }, [{}, { next: { next: {} } }], [{ next: { other: 1 } }]],
  [{ format: 'date' }, ['2024-02-29', 1], ['2023-02-29', '2024-1-1', '24-01-01']],
  [{ format: 'time' }, ['23:59:60Z', '12:00:00.5+01:00'], ['24:00:00Z', '12:00:00']],
  [{ format: 'date-time' }, ['2024-02-29T12:00:00Z', '2024-02-29t12:00:00+01:00'], ['2024-02-29 12:00:00Z', '2024-02-30T12:00:00Z', '2024-02-29T12:00:00']],
  [{ format: 'email' }, ['a.b+c@d-e.example'], ['a@', '@b', 'a b@c', 'a..b@c', 'a@-c', `${'a'.repeat(300)}@b`]],
  [{ format: 'uuid' }, ['0b3cb1d0-8e0a-4b7e-9c0e-0f5a5f3d9a11'], ['0b3cb1d0', 'g'.repeat(36)]],
  [{ format: 'uri' }, ['https://a.example/b?c#d', 'mailto:a@b'], ['/a', 'https://a b', 'a']],
  [{ format: 'ipv4' }, ['127.0.0.1'], ['256.0.0.1', '1.2.3', '1.2.3.4.', '01.2.3.4']],
  [{ format: 'ipv6' }, ['::1', '2001:db8::8a2e:370:7334', '::ffff:1.2.3.4'], ['1::2::3', '12345::', '127.0.0.1', '::1]/x']],
  [{ format: 'hostname' }, ['a-b.example', 'localhost'], ['-a', 'a..b', 'a_b', `${'a'.repeat(64)}.b`]],
];

describe('schemas', () => {
  for (const [schema, good, bad] of TABLE) {
    test(JSON.stringify(schema), () => {
      const check = compile(schema);
      for (const value of good) assert.deepEqual(check(value), [], `${JSON.stringify(value)} fits`);
      for (const value of bad) assert.notEqual(check(value).length, 0, `${JSON.stringify(value)} does not fit`);
    });
  }

  test('that are not understood are refused when they are made', () => {
    for (const [schema, message] of [
      [{ unevaluatedProperties: false }, /"unevaluatedProperties" is not known/],
      [{ properties: { a: { typo: 1 } } }, /a: the keyword "typo" is not known/],
      [{ format: 'iban' }, /the format "iban" is not known/],
      [{ $ref: 'https://elsewhere/schema' }, /only references into the schema itself/],
      [{ $ref: '#/$defs/none' }, /there is nothing/],
      [{ $ref: '#/constructor' }, /there is nothing/],
      [{ items: [{}] }, /called prefixItems/],
      [{ properties: { a: 'string' } }, /expected a schema/],
      ['string', /expected a schema/],
      [null, /expected a schema/],
    ])
      assert.throws(() => compile(schema), message, JSON.stringify(schema));
    compile({ $schema: 'x', title: 'a', description: 'b', default: 1, examples: [], 'x-mine': 1 });
  });

  test('tell where, and not endlessly', () => {
    const check = compile({ properties: { list: { items: { properties: { n: { type: 'number' } } } } } });
    assert.deepEqual(check({ list: [{ n: 1 }, { n: 'x' }] }), [{ field: 'list[1].n', message: 'expected number, got string' }]);
    assert.equal(check({ list: Array(1000).fill({ n: 'x' }) }).length, 20);
    const nested = compile({ properties: { a: { $ref: '#' } }, type: 'object' });
    let value = {};
    for (let n = 0; n < 5000; n++) value = { a: value };
    assert.match(nested(value)[0].message, /too deep/);
    assert.match(compile({ allOf: [{ $ref: '#' }] })(1)[0].message, /too deep/);
  });
});
