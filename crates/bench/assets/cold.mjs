// The functions of B8.
export async function handler(request) {
  const { name } = await request.json();
  return Response.json({ hello: name });
}
