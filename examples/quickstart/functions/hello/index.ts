type Greeting = { message: string; by: string };

/** Takes a web-standard Request, returns a web-standard Response. `params` are the path's. */
export async function handler(request: Request & { params: { name: string } }): Promise<Response> {
  const { name } = request.params;
  const loud = request.method === "POST" && ((await request.json()) as { loud?: boolean }).loud;
  const text = `${process.env.GREETING}, ${name}!`;
  console.log(`greeting ${name}`);
  const greeting: Greeting = { message: loud ? text.toUpperCase() : text, by: process.version };
  return Response.json(greeting);
}
