// Asks croner and cron-parser for the next instants. Reads a line of JSON for each case, with the
// peer to ask; writes a line for each: the instants in milliseconds, or why there are none.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2]);
const { Cron } = require("croner");
const { CronExpressionParser } = require("cron-parser");

const peers = {
  croner: ({ expression, zone, start, count }) =>
    new Cron(expression, { timezone: zone, paused: true })
      .nextRuns(count, new Date(start))
      .map((date) => date.getTime()),
  "cron-parser": ({ expression, zone, start, count }) => {
    const options = { currentDate: new Date(start), tz: zone };
    const dates = CronExpressionParser.parse(expression, options);
    return dates.take(count).map((date) => date.getTime());
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = { instants: peers[asked.peer](asked) };
  } catch (error) {
    answer = { refused: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
