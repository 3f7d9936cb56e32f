// What is there without an import. It is compiled and never run.

export const handler = middleware([cors(), auth({ required: true }), rateLimit(), validate({}), () => 1]);

export async function whoCalls(req: Request) {
  const { id, email } = await auth.verifyToken(req.headers.authorization);
  return `${id} ${email?.toLowerCase() ?? ''}`;
}

export async function onUserCreate(event: DatabaseEvent<{ email: string }>) {
  await db.collection('a').create({ of: event.metadata.documentId, email: event.data.email });
  await storage.bucket('a').list();
  await events.publish('a');
  await functions.invoke('a');
  await auth.users.list();
  return secrets.get('A');
}
