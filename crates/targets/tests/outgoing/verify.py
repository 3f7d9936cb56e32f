"""Verifies and signs with the packages for Python: a list of questions comes in, a list of answers
goes out."""

import json
import sys
from datetime import datetime, timezone

import standardwebhooks
import svix.webhooks

PACKAGES = {"standardwebhooks": standardwebhooks, "svix": svix.webhooks}


def answer(question):
    package = PACKAGES[question["package"]]
    webhook = package.Webhook(question["secret"])
    body = question["body"]
    if "id" in question:
        time = datetime.fromtimestamp(question["secs"], tz=timezone.utc)
        return webhook.sign(question["id"], time, body)
    try:
        webhook.verify(body, question["headers"])
        return "fits"
    except package.WebhookVerificationError as error:
        return str(error)


print(json.dumps([answer(question) for question in json.loads(sys.argv[1])]))
