// Verifies and signs with the packages for JavaScript: a list of questions comes in, a list of
// answers goes out.
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";

const packages = { standardwebhooks, svix };

function answer({ package: name, secret, headers, body, id, secs }) {
  const { Webhook, WebhookVerificationError } = packages[name];
  const webhook = new Webhook(secret);
  if (id !== undefined) return webhook.sign(id, new Date(secs * 1000), body);
  try {
    webhook.verify(body, headers);
    return "fits";
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
}

const questions = JSON.parse(process.argv[2]);
console.log(JSON.stringify(questions.map(answer)));
