import { readFileSync } from "node:fs";
import { join } from "node:path";

// A function runs in its own folder.
const inbox = join(process.cwd(), "../../data/inbox");

/** Runs for each new file: counts the records of a CSV. */
export function handler(event) {
  const { filename } = event.data;
  console.log(`validating ${filename}`);
  const [head, ...records] = readFileSync(join(inbox, filename), "utf8").trim().split("\n");
  if (!head?.includes(",")) {
    throw new Error(`${filename} is not a CSV`);
  }
  console.log(`processing ${records.length} records from ${filename}`);
  return { filename, records: records.length };
}
