//! Links that need no key: who has one may do the one thing it says, until it expires.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use evoke_model::{Code, Millis, Problem, Rejection, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::name::{BucketName, FileName};
use crate::start::Storage;

/// A link is good for a week at most, as those of S3.
const LIFE_MAX: Millis = Millis::from_secs(7 * 24 * 3_600);

/// What a link allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkMethod {
    /// Reading the file.
    Get,
    /// Writing it.
    Put,
}

impl LinkMethod {
    /// As it stands in a link.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }

    /// The method of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Get, Self::Put].into_iter().find(|method| method.as_str() == text)
    }
}

/// A link: what it allows, until when, and the proof that it was made here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What it allows.
    pub method: LinkMethod,
    /// The bucket.
    pub bucket: BucketName,
    /// The file, which need not be there.
    pub name: FileName,
    /// The second in which it is no longer good.
    pub expires: i64,
    /// The proof.
    pub signature: String,
}

impl Storage {
    /// Makes a link.
    ///
    /// # Errors
    /// SO_001, SO_003 for a name that is none or a life out of range.
    pub fn sign(
        &self,
        method: LinkMethod,
        bucket: &str,
        name: &str,
        life: Millis,
    ) -> Result<Link, Rejection> {
        let name = FileName::parse(name)?;
        let bucket = self.inner.bucket(&BucketName::parse(bucket)?)?.name.clone();
        if life < Millis::from_secs(1) || life > LIFE_MAX {
            let problem = Problem::new("expires_in", "is out of range").suggest("1s to 7d");
            return Err(Rejection::of(Code::FileInvalid, vec![problem]));
        }
        let expires = self.inner.journal.now().plus(life).as_millis() / 1_000;
        let code = code(&self.inner.link_key, method, (bucket.as_str(), name.as_str()), expires);
        Ok(Link { method, bucket, name, expires, signature: BASE64.encode(code) })
    }

    /// Looks whether a link is good.
    ///
    /// # Errors
    /// SO_010: it was made for something else, or not here, or is over.
    pub fn verify(&self, link: &Link) -> Result<(), Rejection> {
        good(&self.inner.link_key, link, self.inner.journal.now())
    }
}

fn good(key: &[u8], link: &Link, now: Timestamp) -> Result<(), Rejection> {
    let invalid = |message: &str| Err(Rejection::new(Code::LinkInvalid, message));
    let place = (link.bucket.as_str(), link.name.as_str());
    let expected = code(key, link.method, place, link.expires);
    let given = BASE64.decode(&link.signature).unwrap_or_default();
    if !bool::from(expected[..].ct_eq(&given)) {
        return invalid("the signature is not one of ours for this file and method");
    }
    // Only of a link that was made here it is told that it is over.
    if now.as_millis() / 1_000 >= link.expires {
        return invalid("the link has expired");
    }
    Ok(())
}

/// The code over everything a link says. Names have no control characters, so the lines say it in
/// one way only.
fn code(key: &[u8], method: LinkMethod, (bucket, name): (&str, &str), expires: i64) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(format!("v1\n{}\n{bucket}\n{name}\n{expires}", method.as_str()).as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(method: LinkMethod, name: &str, expires: i64) -> Link {
        let (bucket, name) = (BucketName::parse("b").unwrap(), FileName::parse(name).unwrap());
        let code = code(b"key", method, (bucket.as_str(), name.as_str()), expires);
        Link { method, bucket, name, expires, signature: BASE64.encode(code) }
    }

    #[test]
    fn a_link_is_good_for_what_it_says_and_no_more() {
        let now = Timestamp::from_millis(99_999);
        let fine = link(LinkMethod::Get, "a/b", 100);
        assert!(good(b"key", &fine, now).is_ok());
        assert!(good(b"key", &fine, Timestamp::from_millis(100_000)).is_err());
        assert!(good(b"other", &fine, now).is_err());
        let name = FileName::parse("a/c").unwrap();
        let bucket = BucketName::parse("c").unwrap();
        for forged in [
            Link { method: LinkMethod::Put, ..fine.clone() },
            Link { name, ..fine.clone() },
            Link { bucket, ..fine.clone() },
            Link { expires: 200, ..fine.clone() },
            Link { signature: String::new(), ..fine.clone() },
            Link { signature: format!("{}A", fine.signature), ..fine.clone() },
            Link { signature: "ü".to_owned(), ..fine.clone() },
        ] {
            let refused = good(b"key", &forged, now).unwrap_err();
            assert_eq!(refused.code, Code::LinkInvalid, "{forged:?}");
        }
    }
}
