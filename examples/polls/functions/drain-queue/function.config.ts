export default { runtime: "python", handler: "main.handler" };
