import { middleware } from "@evoke/functions";

export const handler = middleware([
  cors({ origin: "*" }),
  auth({ required: true }),
  rateLimit({ maxRequests: 100, window: "1m" }),
  async (req) => {
    // Your handler logic
    return Response.json({ success: true });
  },
]);
