//! What a mail says: as text, and the same as HTML.

use evoke_model::Millis;

use super::Purpose;
use crate::settings::Settings;

/// A mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

impl Letter {
    /// The mail with a token.
    pub(crate) fn new(purpose: Purpose, to: &str, token: &str, settings: &Settings) -> Self {
        let link = link(purpose, token, settings);
        let (subject, asks, holds) = match purpose {
            Purpose::Verify => {
                ("Verify your address", "To verify this address, open", settings.verify_ttl)
            }
            Purpose::Reset => {
                ("Set your password", "To set a new password, open", settings.reset_ttl)
            }
        };
        let holds = spoken(holds);
        let rest = format!(
            "The link works once, for {holds}. If you did not ask for this mail, ignore it: nothing \
             changes."
        );
        let text = format!("{asks}:\n\n{link}\n\nOr use this token:\n\n{token}\n\n{rest}\n");
        let (link, token) = (escaped(&link), escaped(token));
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{subject}</title>\n\
             <body>\n<p>{asks}:</p>\n<p><a href=\"{link}\">{link}</a></p>\n\
             <p>Or use this token:</p>\n<p><code>{token}</code></p>\n<p>{rest}</p>\n</body>\n</html>\n"
        );
        Self { to: to.to_owned(), subject: subject.to_owned(), text, html }
    }
}

/// The page a mail leads to: the application's, or the server's own.
fn link(purpose: Purpose, token: &str, settings: &Settings) -> String {
    let (page, own) = match purpose {
        Purpose::Verify => (&settings.verify_page, "verify-email"),
        Purpose::Reset => (&settings.reset_page, "password-reset"),
    };
    match page {
        Some(page) => page.replace("{token}", token),
        None => format!("{}/api/auth/{own}?token={token}", settings.url.trim_end_matches('/')),
    }
}

fn spoken(time: Millis) -> String {
    let minutes = time.as_u64() / 60_000;
    let (count, unit) = match minutes {
        0 => (time.as_u64() / 1_000, "second"),
        60.. if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_leads_to_the_applications_page_or_to_ours() {
        let ours = Settings { url: "https://shop.test/".to_owned(), ..Settings::default() };
        let letter = Letter::new(Purpose::Verify, "ada@example.test", "evm_x", &ours);
        let link = "https://shop.test/api/auth/verify-email?token=evm_x";
        assert!(letter.text.contains(link) && letter.html.contains(link));
        assert!(letter.text.contains("for 24 hours."), "{}", letter.text);
        let page = Some("https://app.test/reset?a=1&t={token}".to_owned());
        let theirs = Settings { reset_page: page, ..ours };
        let letter = Letter::new(Purpose::Reset, "ada@example.test", "evm_x", &theirs);
        assert!(letter.text.contains("https://app.test/reset?a=1&t=evm_x"));
        assert!(letter.html.contains("https://app.test/reset?a=1&amp;t=evm_x"));
        assert!(letter.text.contains("for 1 hour."), "{}", letter.text);
    }

    #[test]
    fn times_are_spoken() {
        let told = [1, 90, 60, 300, 3600, 5400, 86_400].map(|secs| spoken(Millis::from_secs(secs)));
        let expected =
            ["1 second", "1 minute", "1 minute", "5 minutes", "1 hour", "90 minutes", "24 hours"];
        assert_eq!(told, expected);
    }
}
