export default { runtime: "nodejs20", handler: "index.handler" };
