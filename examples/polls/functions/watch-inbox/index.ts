import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const inbox = new URL("../../data/inbox/", import.meta.url);

/** What it remembers between two questions: the files it has fired for, by name and content. */
type Seen = Record<string, string>;

type Question = { data: { poll: string; scheduled_at: string; state: Seen | null } };

/** Asked every two seconds: fires for one file that was not there before, or has changed. */
export function handler(question: Question) {
  const seen = question.data.state ?? {};
  const files = existsSync(inbox) ? readdirSync(inbox).sort() : [];
  for (const filename of files) {
    const file_hash = createHash("sha256").update(readFileSync(new URL(filename, inbox))).digest("hex");
    if (seen[filename] !== file_hash) {
      console.log(`found new file ${filename}`);
      return { fire: true, context: { filename, file_hash }, state: { ...seen, [filename]: file_hash } };
    }
  }
  return { fire: false, reason: `no new file among ${files.length}` };
}
