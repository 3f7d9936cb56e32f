//! Contents that are being read: their blobs stay until the last reader is done, whoever replaces
//! or removes the file meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::blobs::ContentKey;
use crate::content::Content;
use crate::janitor::Trash;
use crate::start::Inner;

/// The contents that are being read.
#[derive(Default)]
pub(crate) struct Pins(Mutex<HashMap<ContentKey, Pinned>>);

#[derive(Default)]
struct Pinned {
    readers: usize,
    /// It is to be removed once nobody reads it.
    doomed: Option<Content>,
}

impl Pins {
    /// Whether somebody reads it.
    pub(crate) fn has(&self, key: ContentKey) -> bool {
        self.0.lock().contains_key(&key)
    }

    /// Keeps a content that is to be removed for when it is read no more. Gives it back where
    /// nobody reads it.
    pub(crate) fn put_off(&self, content: Content) -> Option<Content> {
        match self.0.lock().get_mut(&content.key) {
            Some(pinned) => {
                pinned.doomed = Some(content);
                None
            }
            None => Some(content),
        }
    }

    fn add(&self, key: ContentKey) {
        self.0.lock().entry(key).or_default().readers += 1;
    }

    /// One reader less. Gives the content where it was the last one and it is to be removed.
    fn release(&self, key: ContentKey) -> Option<Content> {
        let mut pins = self.0.lock();
        let pinned = pins.get_mut(&key)?;
        pinned.readers -= 1;
        if pinned.readers > 0 {
            return None;
        }
        pins.remove(&key)?.doomed
    }
}

/// A reader of a content.
pub(crate) struct Pin {
    inner: Arc<Inner>,
    content: ContentKey,
}

impl Pin {
    /// From now on the content is read. Its blobs stay if a file has it still: they may be on
    /// their way out otherwise.
    pub(crate) fn new(inner: Arc<Inner>, content: ContentKey) -> Self {
        inner.pins.add(content);
        Self { inner, content }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(content) = self.inner.pins.release(self.content) {
            self.inner.discard(Trash::Replaced(content));
        }
    }
}
