export async function handler(req: Request): Promise<Response> {
  const { method, url, headers, body } = req;

  if (method === "POST") {
    const data = await req.json();
    // Process data
    return Response.json({ success: true, data });
  }

  return Response.json({ error: "Method not allowed" }, { status: 405 });
}
