//! The keys that sign our tokens. There is always one that signs; the next is published before it
//! does, and the last as long as tokens signed with it hold.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use evoke_model::{Millis, Rejection, Timestamp};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};

use crate::records::{Kept, Record, internal};

/// How long a new key is only published: whoever caches the keys has it before it is used.
pub(crate) const PUBLISHED: Millis = Millis::from_secs(24 * 3600);

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SigningKey {
    /// The private key: PKCS#8 in base64.
    private: String,
    /// The public key: base64 as JWKS have it.
    pub(crate) public: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Record for SigningKey {
    const COLLECTION: &'static str = "_signing_keys";
    const INDEXES: &'static [(&'static str, bool)] = &[];
}

impl SigningKey {
    pub(crate) fn new() -> Result<Self, Rejection> {
        let broken = |error| internal(&format!("no key can be made: {error}"));
        let pair = Ed25519KeyPair::generate().map_err(broken)?;
        let private = pair.to_pkcs8v1().map_err(broken)?;
        Ok(Self {
            private: STANDARD.encode(private.as_ref()),
            public: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        })
    }

    pub(crate) fn encoding(&self) -> Result<EncodingKey, Rejection> {
        let private = STANDARD.decode(&self.private);
        let private = private.map_err(|error| internal(&format!("a signing key: {error}")))?;
        Ok(EncodingKey::from_ed_der(&private))
    }

    pub(crate) fn decoding(&self) -> Result<DecodingKey, Rejection> {
        DecodingKey::from_ed_components(&self.public)
            .map_err(|error| internal(&format!("a signing key: {error}")))
    }
}

/// What is to be done with the keys that are there.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// The one that signs, by its place; `None` where a new one has to at once.
    pub(crate) signs: Option<usize>,
    /// Whether the next one is to be made.
    pub(crate) make: bool,
    /// Those no token can be signed with any more.
    pub(crate) drop: Vec<usize>,
}

/// Decides. `made` is when each key was made, the oldest first; `signing` is the place of the key
/// that signs at this moment, and since when it does.
pub(crate) fn plan(
    made: &[Timestamp],
    signing: Option<(usize, Timestamp)>,
    rotation: Millis,
    holds: Millis,
    now: Timestamp,
) -> Plan {
    // A key signs from when it was published long enough until its successor was.
    let ready = |at: Timestamp| at.plus(PUBLISHED) <= now;
    let signs =
        made.iter().rposition(|at| ready(*at)).or(if made.is_empty() { None } else { Some(0) });
    let make = made.last().is_none_or(|newest| newest.plus(rotation) <= now);
    // Not when the successor was ready but when it took over counts: until then the ones before it
    // may have signed.
    let over = signing.filter(|(_, since)| since.plus(holds) <= now).map_or(0, |(place, _)| place);
    Plan { signs, make, drop: (0..over).collect() }
}

/// The keys in use.
pub(crate) struct Ring {
    /// Which one signs, and with what.
    pub(crate) signer: (String, EncodingKey),
    /// Since when it does, as far as this process knows: another may have signed with the one
    /// before until this one started.
    pub(crate) since: Timestamp,
    /// All that verify.
    pub(crate) known: Vec<(String, DecodingKey, String)>,
}

impl Ring {
    pub(crate) fn of(
        keys: &[Kept<SigningKey>],
        signs: usize,
        since: Timestamp,
    ) -> Result<Self, Rejection> {
        let signer = keys.get(signs).ok_or_else(|| internal("there is no key to sign with"))?;
        let known = keys.iter().map(|key| {
            let record = &key.record;
            Ok((key.id.to_string(), record.decoding()?, record.public.clone()))
        });
        Ok(Self {
            signer: (signer.id.to_string(), signer.record.encoding()?),
            since,
            known: known.collect::<Result<_, Rejection>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    #[test]
    fn keys_overlap() {
        let day = |days: u64| {
            Timestamp::from_millis(1_795_000_000_000).plus(Millis::from_secs(days * DAY))
        };
        let (rotation, holds) = (Millis::from_secs(90 * DAY), Millis::from_secs(900));
        for (made, signing, now, signs, make, drop) in [
            (vec![], None, 0, None, true, vec![]),
            (vec![0], None, 0, Some(0), false, vec![]),
            (vec![0], Some((0, 0)), 89, Some(0), false, vec![]),
            (vec![0], Some((0, 0)), 90, Some(0), true, vec![]),
            // The next one is published but does not sign yet.
            (vec![0, 90], Some((0, 0)), 90, Some(0), false, vec![]),
            (vec![0, 90], Some((0, 0)), 91, Some(1), false, vec![]),
            (vec![0, 90], Some((1, 91)), 92, Some(1), false, vec![0]),
            // However long ago it was ready, the one before may have signed until it took over.
            (vec![0, 90], Some((0, 0)), 100, Some(1), false, vec![]),
            (vec![0, 90], Some((1, 100)), 100, Some(1), false, vec![]),
            (vec![0, 90], None, 100, Some(1), false, vec![]),
            (vec![0, 90, 180], Some((1, 91)), 181, Some(2), false, vec![0]),
            (vec![0, 90, 180], Some((2, 181)), 182, Some(2), false, vec![0, 1]),
            // The server was off for a year.
            (vec![0], None, 365, Some(0), true, vec![]),
        ] {
            let made: Vec<Timestamp> = made.into_iter().map(day).collect();
            let signing = signing.map(|(place, since)| (place, day(since)));
            let expected = Plan { signs, make, drop };
            let planned = plan(&made, signing, rotation, holds, day(now));
            assert_eq!(planned, expected, "{made:?}, {signing:?} at day {now}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_accident() {
        let key = SigningKey::new().unwrap();
        assert!(!format!("{key:?}").contains(&key.private));
        assert!(key.encoding().is_ok() && key.decoding().is_ok());
    }
}
