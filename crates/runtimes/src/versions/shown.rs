//! Stacks and messages name the files of the copy that runs. People want to read of the files they
//! edit.

use memchr::memmem::Finder;

/// Bytes that stand for themselves in a `file:` URL.
const PLAIN: &[u8] = b"/-_.~!$&'()*+,;=:@";

/// Puts the path of a function's folder in the place of that of its copy.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    paths: Vec<(Finder<'static>, String)>,
}

impl Shown {
    /// Of a copy as the folder it is a copy of.
    pub fn new(copy: &str, folder: &str) -> Self {
        if copy == folder {
            return Self::default();
        }
        let mut paths = vec![(copy.to_owned(), folder.to_owned())];
        if url(copy) != copy {
            paths.push((url(copy), url(folder)));
        }
        let finder = |(copy, folder): (String, String)| (Finder::new(&copy).into_owned(), folder);
        Self { paths: paths.into_iter().map(finder).collect() }
    }

    /// The bytes as they are shown; `None` where nothing changes.
    pub fn bytes(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut changed: Option<Vec<u8>> = None;
        for (copy, folder) in &self.paths {
            let current = changed.as_deref().unwrap_or(text);
            let mut end = 0;
            let mut out = Vec::new();
            for place in copy.find_iter(current) {
                out.extend_from_slice(&current[end..place]);
                out.extend_from_slice(folder.as_bytes());
                end = place + copy.needle().len();
            }
            if end > 0 {
                out.extend_from_slice(&current[end..]);
                changed = Some(out);
            }
        }
        changed
    }

    /// The text as it is shown.
    pub fn text(&self, text: String) -> String {
        match self.bytes(text.as_bytes()) {
            Some(changed) => String::from_utf8_lossy(&changed).into_owned(),
            None => text,
        }
    }
}

/// A path as it stands in a `file:` URL.
fn url(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_copy_are_shown_as_those_of_the_folder() {
        let shown = Shown::new("/p/.evoke/v/a.1", "/p/my functions/a");
        let table = [
            ("at /p/.evoke/v/a.1/x.js:3:9", "at /p/my functions/a/x.js:3:9"),
            ("/p/.evoke/v/a.1 /p/.evoke/v/a.1/y", "/p/my functions/a /p/my functions/a/y"),
            ("nothing of it: /p/.evoke/v/b.1", "nothing of it: /p/.evoke/v/b.1"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(shown.text(text.to_owned()), expected);
        }
        assert_eq!(shown.bytes(b"nothing"), None);
        assert_eq!(Shown::new("/a", "/a").bytes(b"/a/x"), None);
    }

    #[test]
    fn urls_of_files_are_found_too() {
        let shown = Shown::new("/my p/.evoke/a.1", "/my p/functions/a");
        let text = "at file:///my%20p/.evoke/a.1/x.mjs:3:9 in /my p/.evoke/a.1";
        let expected = "at file:///my%20p/functions/a/x.mjs:3:9 in /my p/functions/a";
        assert_eq!(shown.text(text.to_owned()), expected);
    }
}
