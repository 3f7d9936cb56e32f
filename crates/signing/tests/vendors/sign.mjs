// Signs with the packages of providers for JavaScript: a list of questions comes in, a list of
// headers goes out.
import { sign } from "@octokit/webhooks-methods";
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";

const standard = (Webhook, prefix) => ({ secret, id, secs, body }) => ({
  [`${prefix}-id`]: id,
  [`${prefix}-timestamp`]: `${secs}`,
  [`${prefix}-signature`]: new Webhook(secret).sign(id, new Date(secs * 1000), body),
});

const signers = {
  github: async ({ secret, id, body }) => ({
    "X-GitHub-Delivery": id,
    "X-Hub-Signature-256": await sign(secret, body),
  }),
  "standard-webhooks": standard(standardwebhooks.Webhook, "webhook"),
  svix: standard(svix.Webhook, "svix"),
};

const questions = JSON.parse(process.argv[1]);
const answers = questions.map((question) => signers[question.kind](question));
console.log(JSON.stringify(await Promise.all(answers)));
