// The same handler on Restate, beside a door through which the benchmark reads what was handled.
import { createServer } from "node:http";
import * as restate from "@restatedev/restate-sdk";

const [servicePort, doorPort] = process.argv.slice(2).map(Number);
let starts = [];

const bench = restate.service({
  name: "bench",
  handlers: {
    tick: async (context, event) => {
      starts.push(Math.round((performance.timeOrigin + performance.now()) * 1000));
      return { n: event.data.n };
    },
  },
});

createServer((request, response) => {
  const body = JSON.stringify(request.url === "/starts" ? { starts } : { handled: starts.length });
  if (request.method === "POST") starts = [];
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}).listen(doorPort, "127.0.0.1", async () => {
  await restate.serve({ services: [bench], port: servicePort });
});
