//! API keys: random, shown once, kept as a hash, compared in constant time.

use evoke_model::{Code, KeyId, Rejection};
use evoke_ports::store::{Change, Key, Write};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::start::Engine;

/// What every key starts with, so that a leaked one can be recognised.
const PREFIX: &str = "evk_";
/// Random bytes of a key: beyond guessing.
const KEY_BYTES: usize = 32;
/// Characters of a key that stay readable, to tell keys apart.
const HINT_LEN: usize = 8;
const NAME_LEN_MAX: usize = 100;

/// The hash under which a key is kept. A key has 256 random bits, so a slow hash would add nothing.
fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Engine {
    /// Makes an API key. The second value is the key itself; it is not kept and cannot be shown
    /// again.
    ///
    /// # Errors
    /// API_001 for a name that is empty or too long; ST_001.
    pub async fn create_key(&self, name: String) -> Result<(Key, String), Rejection> {
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            let message = format!("a key's name has 1 to {NAME_LEN_MAX} characters");
            return Err(Rejection::new(Code::InvalidRequest, message));
        }
        let mut secret = [0_u8; KEY_BYTES];
        getrandom::fill(&mut secret).map_err(|error| {
            Rejection::new(Code::Internal, format!("the machine gives no randomness: {error}"))
        })?;
        let text = secret.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let now = self.inner.clock.now();
        let key = Key {
            id: self.inner.ids.key(now),
            name,
            hash: hash(&text),
            hint: text.chars().take(HINT_LEN).collect(),
            created_at: now,
        };
        self.inner.committer.change(Write::from(Change::Key(key.clone()))).await?;
        self.inner.keys.write().push(key.clone());
        Ok((key, text))
    }

    /// All keys, oldest first.
    pub fn keys(&self) -> Vec<Key> {
        self.inner.keys.read().clone()
    }

    /// Takes a key away; it stops working at once.
    ///
    /// # Errors
    /// API_008 when there is none.
    pub async fn remove_key(&self, id: KeyId) -> Result<(), Rejection> {
        if !self.inner.keys.read().iter().any(|key| key.id == id) {
            return Err(Rejection::new(Code::KeyNotFound, format!("there is no key {id}")));
        }
        self.inner.committer.change(Write::from(Change::RemoveKey(id))).await?;
        self.inner.keys.write().retain(|key| key.id != id);
        Ok(())
    }

    /// The key that was presented, if it is one of ours. Every key is compared in constant time.
    pub fn verify_key(&self, presented: &str) -> Option<KeyId> {
        let presented = hash(presented);
        let mut found = None;
        for key in self.inner.keys.read().iter() {
            if bool::from(key.hash.ct_eq(&presented)) {
                found = Some(key.id);
            }
        }
        found
    }
}
