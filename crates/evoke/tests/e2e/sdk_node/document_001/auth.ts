import { auth } from "@evoke/sdk";

const user = await auth.verifyToken(req.headers.authorization);
