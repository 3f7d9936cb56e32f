import smtplib
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from evoke import db, secrets


def handler(event, context):
    document = event["data"]["document"]
    profile = db.collection("profiles").doc(document["id"])
    # An event may come twice, after a crash for example; a mail should not.
    now = profile.get()
    if now is None or now.get("welcomed"):
        return {"sent": False}
    send(letter(document))
    profile.update({"welcomed": True})
    return {"sent": True}


def letter(profile):
    mail = EmailMessage()
    mail["From"] = "hello@example.com"
    mail["To"] = profile["email"]
    mail["Subject"] = f"Welcome, {profile['name']}!"
    mail.set_content(f"Hello {profile['name']},\n\nit is good to have you here.\n")
    return mail


def send(mail):
    url = urlsplit(secrets.get("MAIL_URL", ""))
    if not url.hostname:
        print(f"mail to {mail['To']}: {mail['Subject']}")
        return
    with smtplib.SMTP(url.hostname, url.port or 25, timeout=10) as server:
        if url.username:
            server.starttls()
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(mail)
