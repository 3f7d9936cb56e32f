// The bare language server: the same handler with nothing around it.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const { name } = JSON.parse(Buffer.concat(parts).toString() || '{"name":""}');
    const body = JSON.stringify({ hello: name });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    response.end(body);
  });
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
