//! The keys of an execution.

use std::ops::{Deref, DerefMut};

/// What an execution is counted under. Nearly all triggers ask for no key; then this is one word.
#[derive(Clone, Default, Debug)]
pub struct Keys(Option<Box<KeySet>>);

/// A key for each policy that can have one: what the trigger's expression made of the event. `None`
/// where the policy has no key, or where it gave nothing for this event.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct KeySet {
    /// First in, first out per key; without one it is in nobody's way.
    pub order: Option<Box<str>>,
    /// The concurrency limit counts per key; without one it does not count.
    pub concurrency: Option<Box<str>>,
    /// The rate counts per key; those without one share a bucket.
    pub rate: Option<Box<str>>,
    /// Quiet is waited for per key; those without one wait together.
    pub debounce: Option<Box<str>>,
    /// Only those with the same key share a call; those without one do, too.
    pub batch: Option<Box<str>>,
    /// The trigger takes an event once per key.
    pub idempotency: Option<Box<str>>,
}

impl KeySet {
    /// That of an execution whose trigger asks for none.
    pub const NONE: Self = Self {
        order: None,
        concurrency: None,
        rate: None,
        debounce: None,
        batch: None,
        idempotency: None,
    };
}

impl From<KeySet> for Keys {
    fn from(set: KeySet) -> Self {
        Self((set != KeySet::NONE).then(|| Box::new(set)))
    }
}

impl Deref for Keys {
    type Target = KeySet;

    #[inline]
    fn deref(&self) -> &KeySet {
        static NONE: KeySet = KeySet::NONE;
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Keys {
    fn deref_mut(&mut self) -> &mut KeySet {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Keys {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_keys_take_one_word_and_equal_a_set_of_none() {
        assert_eq!(size_of::<Keys>(), size_of::<usize>());
        let mut keys = Keys::from(KeySet::NONE);
        assert!(keys.0.is_none());
        keys.order = Some("a".into());
        assert_ne!(keys, Keys::default());
        keys.order = None;
        assert_eq!(keys, Keys::default());
    }
}
