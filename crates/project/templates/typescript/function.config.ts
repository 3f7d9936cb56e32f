// What this function is and what makes it run.
export default {
  runtime: "{{runtime}}",
  handler: "index.handler",
  triggers: [
    { type: "event", match: "{{name}}.*" },
    // { type: "http", path: "/{{name}}", methods: ["GET", "POST"] } calls it with a web Request.
  ],
};
