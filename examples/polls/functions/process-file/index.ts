import { readFileSync } from "node:fs";

const inbox = new URL("../../data/inbox/", import.meta.url);

type Found = { data: { filename: string; file_hash: string } };

/** Runs for each new file: counts the records of a CSV. */
export function handler(event: Found) {
  const { filename } = event.data;
  console.log(`validating ${filename}`);
  const [head, ...records] = readFileSync(new URL(filename, inbox), "utf8").trim().split("\n");
  if (!head?.includes(",")) {
    throw new Error(`${filename} is not a CSV`);
  }
  console.log(`processing ${records.length} records from ${filename}`);
  return { filename, records: records.length };
}
