export default {
  runtime: "nodejs20",
  handler: "index.handler",
  timeout: "5s",
  environment: { GREETING: "Hello" },
  triggers: [{ type: "http", path: "/hello/{name}", methods: ["GET", "POST"] }],
};
