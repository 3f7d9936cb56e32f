import { storage } from "@evoke/sdk";

const file = await storage.bucket("uploads").file("image.jpg").download();
