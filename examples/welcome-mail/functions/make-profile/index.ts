import { db } from "@evoke/sdk";

interface Signup {
  data: { user: { id: string; email: string } };
}

// An event may come twice, after a crash for example; `set` makes the same profile again.
export async function handler({ data: { user } }: Signup) {
  const name = user.email.split("@")[0];
  const profile = await db.collection("profiles").doc(user.id).set({ email: user.email, name });
  return { profile: profile.id };
}
