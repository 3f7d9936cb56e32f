// The bare language server: the same handler with nothing around it.
Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  async fetch(request) {
    const { name } = await request.json();
    return Response.json({ hello: name });
  },
});
console.log("ready");
