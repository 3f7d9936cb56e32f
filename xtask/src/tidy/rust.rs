//! Just enough of Rust's grammar to tell code from comments and literals, and to find functions.

/// A file seen as Rust.
pub struct Source {
    /// The code with the same lines and columns; comments are blank, the insides of literals are
    /// underscores.
    pub code: String,
    /// The insides of the string literals, each with the line it begins on.
    pub literals: Vec<(usize, String)>,
}

/// A function with a body.
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// Lines of its body that hold code.
    pub code_lines: usize,
}

/// Where the reader of the text stands.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl Source {
    /// Reads a file.
    pub fn read(text: &str) -> Self {
        let source = Self { code: String::with_capacity(text.len()), literals: Vec::new() };
        let mut reader = Reader { rest: text, line: 1, source };
        while !reader.rest.is_empty() {
            reader.step();
        }
        reader.source
    }

    /// The functions with a body, nested ones included.
    pub fn functions(&self) -> Vec<Function> {
        let starts = self.code.match_indices("fn ");
        starts.filter_map(|(at, _)| self.function(at)).collect()
    }

    fn function(&self, at: usize) -> Option<Function> {
        let before = self.code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let head = &self.code[at + 3..];
        let name: String = head.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            return None;
        }
        let open = at + 3 + body_start(head)?;
        let body = &self.code[open..open + closing(&self.code[open..])?];
        Some(Function {
            name,
            line: line_of(&self.code, at),
            code_lines: body.lines().skip(1).filter(|line| !line.trim().is_empty()).count(),
        })
    }

    /// The lines, from 1, of code that is only built for tests.
    pub fn test_lines(&self) -> Vec<std::ops::RangeInclusive<usize>> {
        let marks = self.code.match_indices("#[cfg(test)]");
        let range = |(at, _): (usize, &str)| {
            let end = body_start(&self.code[at + 12..]).map_or(self.code.len(), |open| {
                let open = at + 12 + open;
                open + closing(&self.code[open..]).unwrap_or(0)
            });
            line_of(&self.code, at)..=line_of(&self.code, end)
        };
        marks.map(range).collect()
    }
}

/// Where the first brace outside of parentheses opens, unless a semicolon comes first.
fn body_start(head: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in head.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where the brace that opens at the beginning is closed.
fn closing(code: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        let after_word = self.source.code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if rest.starts_with("//") {
            self.blank(rest.find('\n').unwrap_or(rest.len()), ' ');
        } else if rest.starts_with("/*") {
            self.blank(block_comment(rest), ' ');
        } else if let Some(hashes) = raw_string(rest).filter(|_| !after_word) {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = rest.find('"').unwrap_or(0) + 1;
            let len = rest[open..].find(&end).unwrap_or(rest.len() - open);
            self.literal(open, len, end.len());
        } else if let Some(inside) = rest.strip_prefix('"') {
            self.literal(1, string_len(inside), 1);
        } else if let Some(len) = character(rest) {
            self.copy(1);
            self.blank(len - 2, '_');
            self.copy(1);
        } else {
            self.copy(rest.chars().next().map_or(0, char::len_utf8));
        }
    }

    fn literal(&mut self, open: usize, len: usize, close: usize) {
        let inside = self.rest[open..open + len].to_owned();
        self.source.literals.push((self.line, inside));
        self.copy(open);
        self.blank(len, '_');
        self.copy(close.min(self.rest.len()));
    }

    fn copy(&mut self, len: usize) {
        let (head, rest) = self.rest.split_at(len);
        self.line += head.matches('\n').count();
        self.source.code.push_str(head);
        self.rest = rest;
    }

    fn blank(&mut self, len: usize, with: char) {
        let (head, rest) = self.rest.split_at(len);
        self.line += head.matches('\n').count();
        let blanked = head.chars().map(|c| if c == '\n' { '\n' } else { with });
        self.source.code.extend(blanked);
        self.rest = rest;
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// How many `#` a raw string that begins here has.
fn raw_string(text: &str) -> Option<usize> {
    let tail = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    tail[hashes..].starts_with('"').then_some(hashes)
}

/// How long the inside of a string is, up to its closing quote.
fn string_len(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return at,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    inside.len()
}

/// The length of a character literal that begins here; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        let escaped = inside[1..].chars().next()?.len_utf8();
        return inside[1 + escaped..].find('\'').map(|end| 1 + 1 + escaped + end + 1);
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_told_from_code() {
        let text =
            "let a = \"x{\\\"\"; // {\nlet b = r#\"}\"#; let c = '{'; /* } /* */ { */ d::<'a>()";
        let source = Source::read(text);
        assert_eq!(source.literals, [(1, "x{\\\"".to_owned()), (2, "}".to_owned())]);
        assert!(!source.code.contains(['{', '}']), "{}", source.code);
        assert!(source.code.ends_with("d::<'a>()"), "{}", source.code);
        assert_eq!(source.code.chars().count(), text.chars().count());
    }

    #[test]
    fn functions_are_found_with_their_lines() {
        let text = "\n/// fn nothing\nfn one(f: fn (u8) -> [u8; 2])\nwhere\n    T: X,\n{\n\
                    // why\n    a();\n\n    b(\n        1,\n    );\n}\nfn two();\n";
        let found = Source::read(text).functions();
        let seen: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.code_lines)).collect();
        assert_eq!(seen, [("one", 3, 4)]);
    }

    #[test]
    fn code_for_tests_is_told_apart() {
        let source =
            Source::read("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        assert_eq!(source.test_lines(), [2..=5]);
    }
}
