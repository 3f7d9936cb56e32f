import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

// A function runs in its own folder.
const inbox = join(process.cwd(), "../../data/inbox");

const hash = (filename) =>
  createHash("sha256").update(readFileSync(join(inbox, filename))).digest("hex");

/**
 * Asked every two seconds: fires for one file that was not there before, or has changed. Its state
 * is the files it has fired for, by name and content.
 */
export function handler(question) {
  const seen = question.data.state ?? {};
  const files = existsSync(inbox) ? readdirSync(inbox).sort() : [];
  for (const filename of files) {
    const file_hash = hash(filename);
    if (seen[filename] !== file_hash) {
      console.log(`found new file ${filename}`);
      const state = { ...seen, [filename]: file_hash };
      return { fire: true, context: { filename, file_hash }, state };
    }
  }
  return { fire: false, reason: `no new file among ${files.length}` };
}
