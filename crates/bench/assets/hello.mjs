// The function of B6 and B7: what the bare servers do, as a platform's handler.
export async function handler(request) {
  const { name } = await request.json();
  return Response.json({ hello: name });
}
