//! The short-lived token with which a function calls back. It names its execution and proves itself
//! by a hash under a secret of this process; it is good for as long as the execution runs.

use std::sync::Arc;

use evoke_model::ExecutionId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of the hash that go into a token: 128 bits cannot be guessed over a network.
const TAG_LEN: usize = 16;
const PREFIX: &str = "evt_run_";

/// Makes and checks tokens.
pub(crate) struct Tokens {
    /// SHA-256 that has taken in the secret already.
    keyed: Sha256,
}

impl Tokens {
    /// # Errors
    /// The machine gives no randomness.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0_u8; 64];
        getrandom::fill(&mut secret)?;
        Ok(Self { keyed: Sha256::new_with_prefix(secret) })
    }

    fn tag(&self, id: ExecutionId) -> [u8; TAG_LEN] {
        let mut hash = self.keyed.clone();
        hash.update(id.event.as_u64().to_le_bytes());
        hash.update(id.trigger.as_u64().to_le_bytes());
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&hash.finalize()[..TAG_LEN]);
        tag
    }

    /// The token of an execution.
    pub(crate) fn mint(&self, id: ExecutionId) -> Arc<str> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(PREFIX.len() + 30 + 1 + 2 * TAG_LEN);
        text.push_str(PREFIX);
        text.push_str(&id.to_string());
        text.push('_');
        for byte in self.tag(id) {
            text.push(HEX[usize::from(byte >> 4)] as char);
            text.push(HEX[usize::from(byte & 15)] as char);
        }
        text.into()
    }

    /// Whether a text has the form of a token, be it good or not.
    pub(crate) fn has_form(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The execution a token was minted for.
    pub(crate) fn verify(&self, token: &str) -> Option<ExecutionId> {
        let (id, tag) = token.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let id: ExecutionId = id.parse().ok()?;
        if tag.len() != 2 * TAG_LEN || !tag.is_ascii() {
            return None;
        }
        let mut presented = [0; TAG_LEN];
        for (place, byte) in presented.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&tag[2 * place..2 * place + 2], 16).ok()?;
        }
        bool::from(presented.ct_eq(&self.tag(id))).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{EventId, TriggerId};

    #[test]
    fn only_the_own_token_is_believed() {
        let tokens = Tokens::new().expect("randomness");
        let id = ExecutionId { event: EventId::from_u64(7), trigger: TriggerId::from_u64(9) };
        let other = ExecutionId { event: EventId::from_u64(8), ..id };
        let token = tokens.mint(id);
        assert_eq!(tokens.verify(&token), Some(id));
        let forged = token.replace(&id.to_string(), &other.to_string());
        for text in [forged.as_str(), "", "evt_run_", "evt_run_x_y", &token[..token.len() - 1]] {
            assert_eq!(tokens.verify(text), None, "{text}");
        }
        assert_eq!(Tokens::new().expect("randomness").verify(&token), None);
    }
}
