import { db } from "@evoke/sdk";

const users = await db.collection("users").where("active", "==", true).get();
