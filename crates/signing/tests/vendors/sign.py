"""Signs with the packages of providers for Python, and says whether they believe what a question
brings along: a list of questions comes in, a list of headers or verdicts goes out."""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl

import standardwebhooks
import svix.webhooks
from slack_sdk.signature import SignatureVerifier
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator


class Form(dict):
    """A form with repeated names, as the frameworks have it that Twilio's package knows."""

    def getall(self, name):
        return self[name]


def form(body):
    pairs = Form()
    for name, value in parse_qsl(body, keep_blank_values=True):
        pairs.setdefault(name, []).append(value)
    return pairs


def standard(package, prefix):
    def sign(question):
        time = datetime.fromtimestamp(question["secs"], tz=timezone.utc)
        webhook = package.Webhook(question["secret"])
        return {
            f"{prefix}-id": question["id"],
            f"{prefix}-timestamp": str(question["secs"]),
            f"{prefix}-signature": webhook.sign(question["id"], time, question["body"]),
        }

    return sign


def stripe(question):
    header = WebhookSignature.generate_signature_header(
        question["body"], question["secret"], question["secs"]
    )
    assert WebhookSignature.verify_header(question["body"], header, question["secret"])
    return {"Stripe-Signature": header}


def slack(question):
    timestamp = str(question["secs"])
    signature = SignatureVerifier(question["secret"]).generate_signature(
        timestamp=timestamp, body=question["body"]
    )
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}


def twilio(question, algorithm=None):
    validator = RequestValidator(question["secret"])
    is_form = "bodySHA256" not in question["url"]
    content = form(question["body"]) if is_form else question["body"]
    signature = validator.compute_signature(
        question["url"], content if is_form else {}, algorithm
    )
    assert validator.validate(question["url"], content, signature, algorithm)
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    return {"Content-Type": kind, "X-Twilio-Signature": signature}


SIGNERS = {
    "stripe": stripe,
    "slack": slack,
    "twilio": twilio,
    "twilio-sha256": lambda question: twilio(question, "HMAC_SHA256"),
    "standard-webhooks": standard(standardwebhooks, "webhook"),
    "svix": standard(svix.webhooks, "svix"),
}

questions = json.loads(sys.argv[1])
print(json.dumps([SIGNERS[question["kind"]](question) for question in questions]))
