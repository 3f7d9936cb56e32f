/** Stands for somebody else's server: the HTTP target of triggers/orders-to-inbox.yaml calls it. */
export async function handler(request) {
  const { order, total } = await request.json();
  console.log(`somebody told us of order ${order} over ${total}`);
  return new Response(null, { status: 204 });
}
