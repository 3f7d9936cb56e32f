// Run with `{{test}}`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { handler } from "./index.ts";

test("the event's name is greeted", async () => {
  const event = JSON.parse(await readFile(new URL("./events/created.json", import.meta.url), "utf8"));
  assert.deepEqual(await handler(event), { message: "Hello, Ada!" });
});

test("nobody in particular is greeted too", async () => {
  assert.deepEqual(await handler({}), { message: "Hello, world!" });
});
