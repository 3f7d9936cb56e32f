// What the types of the SDK allow and what they do not. It is compiled and never run.

import { createClient, db, events, functions, reject, storage, auth, EvokeError } from '@evoke/sdk';
import type { AuthEvent, Context, DatabaseEvent, ScheduleEvent, StorageEvent, WebhookEvent } from '@evoke/sdk';

interface User {
  email: string;
  age: number;
  address: { city: string };
}

async function database() {
  const users = db.collection<User>('users');
  const [first] = await users.where('age', '>', 18).where('address.city', '==', 'Bonn').orderBy('email').get();
  const email: string | undefined = first?.email;
  const revision: string | undefined = first?._revision;
  const maybe = await users.doc('ada').get();
  // @ts-expect-error It may not be there.
  maybe.email;
  // @ts-expect-error There is no such operator.
  users.where('age', '=', 18);
  // @ts-expect-error An object is nothing to compare with.
  users.where('address', '==', { city: 'Bonn' });
  await users.create({ id: 'ada', email: 'a', age: 1, address: { city: '' } });
  // @ts-expect-error A field is missing.
  await users.create({ email: 'a' });
  await users.doc('ada').update({ age: null }, { ifRevision: 'evt_1' });
  // @ts-expect-error It is a number.
  await users.doc('ada').update({ age: 'x' });
  const loose = await db.collection('notes').first();
  const anything: string = loose?.title;
  for await (const user of users) user.email satisfies string;
  for await (const { action, document } of users.changes()) [action satisfies 'create' | 'update' | 'delete', document?.age];
  const sum: number = await db.transaction(async (t) => {
    const user = await t.collection<User>('users').doc('ada').get();
    t.collection<User>('users').doc('ada').update({ age: 2 });
    return user?.age ?? 0;
  });
  return { email, revision, anything, sum };
}

async function others() {
  const bytes: Uint8Array = await storage.bucket('b').file('a').download();
  const json = await storage.bucket('b').file('a').download().json<User>();
  const { roles } = await auth.verifyToken('x');
  const total = await functions.invoke<{ total: number }>('sum', [1]);
  const { execution_id } = await functions.invoke('sum', [1], { async: true });
  const { ids } = await events.publish([{ type: 'a', data: 1 }]);
  const client = createClient({ url: 'http://x', apiKey: 'evk_x' });
  (await client.auth.session())?.user.email satisfies string | undefined;
  return { bytes, json, roles, total: total.total, execution_id, ids };
}

export function hook(event: DatabaseEvent<User>, context: Context) {
  event.data.email satisfies string | undefined;
  event.data.document?.age satisfies number | undefined;
  event.metadata.documentId satisfies string;
  context.user?.roles satisfies string[] | undefined;
  // @ts-expect-error Not every issuer tells one.
  context.user?.email satisfies string | undefined;
  context.token satisfies string;
  void context.evoke.db.collection<User>('users').doc('ada').update({ age: 1 });
  return reject('no', { status: 403, problems: [{ field: 'email', message: 'is foreign' }] });
}

export function kinds(storage: StorageEvent, auth: AuthEvent, schedule: ScheduleEvent<{ n: number }>, webhook: WebhookEvent) {
  return [storage.data.file.size_bytes, auth.data.user.email, schedule.data.input.n, webhook.data.verified];
}

export const told = (error: unknown) => (error instanceof EvokeError ? error.problems.map(({ field }) => field) : []);
export { database, others };
