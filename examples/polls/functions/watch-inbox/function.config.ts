export default {
  runtime: "nodejs20",
  handler: "index.handler",
  // What it finds goes to another function. A file whose execution is still open is left out.
  triggers: [{ type: "poll", name: "file-watcher", every: "2s", run: "process-file" }],
};
