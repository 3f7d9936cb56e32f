import { auth, db, events, EvokeError, functions, http, secrets, storage } from '@evoke/sdk';

/** Uses everything once, on names of its own. */
export async function handler({ data: { run, accessToken } }, context) {
  const found = {};
  const refused = async (work) => {
    const error = await Promise.resolve().then(work).then(() => null, (error) => error);
    return [error instanceof EvokeError, error?.code, error?.status];
  };
  found.database = await database(db.collection(`notes_${run}`), refused);
  found.transaction = await transaction(db.collection(`accounts_${run}`), `accounts_${run}`);
  found.storage = await files(storage.bucket(`files-${run}`), refused);
  const user = await auth.verifyToken(`Bearer ${accessToken}`);
  found.auth = [user.email, (await auth.users.get(user.id)).id === user.id, await auth.users.get('usr_none')];
  found.forged = await refused(() => auth.verifyToken(`${accessToken}x`));
  const { ids } = await events.publish('sdk.many', { run }, { subject: run });
  found.events = [ids.length, (await events.publish([{ type: 'sdk.many' }, { type: 'sdk.many' }])).ids.length];
  found.invoked = await functions.invoke('echo', { run });
  found.later = typeof (await functions.invoke('echo', { run }, { async: true })).execution_id;
  found.unknown = await refused(() => functions.invoke('echoo', {}));
  found.secret = [secrets.get('COLOUR'), await refused(() => secrets.get('COLOR'))];
  found.fetched = (await http.fetch(`${process.env.EVOKE_URL}/health/live`)).status;
  return found;
}

async function database(notes, refused) {
  const made = await notes.create({ id: 'a', n: 1, at: new Date('2026-01-01T00:00:00Z'), tags: ['x'] });
  await notes.createMany([2, 3, 4, 5].map((n) => ({ id: `n${n}`, n, at: new Date(`2026-01-0${n}T00:00:00Z`), tags: [] })));
  const ids = async (query) => (await query.get()).map(({ id }) => id);
  const again = notes.doc('a');
  const changed = await again.update({ n: 10, tags: null }, { ifRevision: made._revision });
  const all = [];
  for await (const { id } of notes.orderBy('n', 'desc')) all.push(id);
  return {
    same: made.at,
    queried: await ids(notes.where('at', '<', new Date('2026-01-04T00:00:00Z')).where('n', 'in', [2, 3, 10]).orderBy('n')),
    first: (await notes.orderBy('n').first()).id,
    none: await notes.where('n', '>', 99).first(),
    count: await notes.where('n', '>=', 3).count(),
    changed: [changed.n, 'tags' in changed],
    stale: await refused(() => again.set({ n: 0 }, { ifRevision: made._revision })),
    written: (await again.set({ ...changed, n: 11 })).n,
    twice: await refused(() => again.create({ n: 0 })),
    all,
    updated: await notes.where('n', '<', 4).update({ small: true }),
    deleted: await notes.where('small', '==', true).delete(),
    gone: [await notes.doc('n2').get(), await notes.doc('n2').delete(), await again.delete()],
    left: await ids(notes),
  };
}

async function transaction(accounts, name) {
  await accounts.createMany([{ id: 'a', n: 100 }, { id: 'b', n: 0 }]);
  const move = (amount) =>
    db.transaction(async (t) => {
      const [from, to] = [t.collection(name).doc('a'), t.collection(name).doc('b')];
      const [a, b] = [await from.get(), await to.get()];
      from.update({ n: a.n - amount });
      to.update({ n: b.n + amount });
      return a.n;
    }, { attempts: 20 });
  await Promise.all([1, 2, 3, 4].map(move));
  // What was not there when it was looked for appears before the changes are made.
  let rounds = 0;
  const saw = await db.transaction(async (t) => {
    const late = await t.collection(name).doc('late').get();
    if (++rounds === 1) await accounts.create({ id: 'late', n: 0 });
    t.collection(name).doc('note').set({ n: rounds });
    return late?.id ?? null;
  });
  return [(await accounts.doc('a').get()).n, (await accounts.doc('b').get()).n, saw, rounds];
}

async function files(bucket, refused) {
  const file = bucket.file('a folder/ä.txt');
  const info = await file.upload('héllo', { metadata: { owner: 'Adá' } });
  const bytes = await file.download();
  await file.copy('copy.txt');
  await bucket.file('bytes').upload(new Uint8Array([1, 2, 3]), { contentType: 'x/y' });
  const signed = await fetch(await file.signedUrl({ expiresIn: '1m' }));
  return {
    info: [info.name, info.size_bytes, info.content_type, info.metadata.owner],
    bytes: [bytes instanceof Uint8Array, new TextDecoder().decode(bytes)],
    range: await file.download({ range: [0, 1] }).text(),
    streamed: await new Response(await file.stream()).text(),
    signed: await signed.text(),
    known: [(await file.metadata()).etag === info.etag, await file.exists(), await bucket.file('none').exists()],
    names: (await bucket.list()).map(({ name }) => name).sort(),
    below: (await bucket.list('a folder/')).length,
    new: await refused(() => file.upload('x', { ifNew: true })),
    missing: await refused(() => bucket.file('none').download().bytes()),
    gone: [await bucket.file('bytes').delete(), await bucket.file('bytes').delete()],
  };
}
