//! What commands print on stdout. A reader that goes away (`| head`) is no error.

mod cells;
mod text;
mod timeline;
mod tree;

use std::io::{self, Write};

use serde_json::Value;

use crate::args::Format;
use crate::failure::{Failure, Outcome};

pub(crate) use cells::{Column, columns};
pub(crate) use text::{dead_letter, execution, execution_line, explanation, log_line, whole};
pub(crate) use timeline::timeline;
pub(crate) use tree::{events_of, tree};

/// Prints text that ends in a line break; colours go only to a terminal.
pub(crate) fn print(text: &str) -> Outcome {
    let mut out = anstream::stdout().lock();
    settled(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Talks to the user, on stderr.
pub(crate) fn say(text: &str) {
    // There is nowhere to tell that nobody listens.
    writeln!(anstream::stderr(), "{text}").ok();
}

/// Prints bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    settled(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Whether stdout still has a reader.
fn settled(written: io::Result<()>) -> Outcome {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_left()),
        other => other.map_err(|error| Failure::fault(format!("write to stdout: {error}"))),
    }
}

/// Prints a list.
pub(crate) fn list(items: &[Value], columns: &[Column], format: Format) -> Outcome {
    match format {
        Format::Table if items.is_empty() => {
            say("nothing found");
            Ok(())
        }
        Format::Table => print(&table(items, columns)),
        Format::Json => print(&json(&items)?),
        Format::Yaml => print(&yaml(&items)?),
        Format::Id => print(&items.iter().map(id).collect::<String>()),
    }
}

/// Prints one thing; `text` is its form for people.
pub(crate) fn one(item: &Value, format: Format, text: impl Fn(&Value) -> String) -> Outcome {
    match format {
        Format::Table => print(&text(item)),
        Format::Json => print(&json(item)?),
        Format::Yaml => print(&yaml(item)?),
        Format::Id => print(&id(item)),
    }
}

/// Prints one of many things that come one after the other: JSON is one object a line.
pub(crate) fn next(item: &Value, format: Format, text: impl Fn(&Value) -> String) -> Outcome {
    match format {
        Format::Json => print(&format!("{item}\n")),
        Format::Yaml => print(&format!("---\n{}", yaml(item)?)),
        other => one(item, other, text),
    }
}

pub(crate) fn table(items: &[Value], columns: &[Column]) -> String {
    let head = columns.iter().map(|column| column.title.to_owned()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|column| (column.cell)(item)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let widest = |at: usize| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

/// Cells side by side, two blanks between them and none at the end.
fn line(cells: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for (cell, wanted) in cells.iter().zip(widths) {
        let blanks = wanted.saturating_sub(width(cell)) + 2;
        out.push_str(cell);
        out.extend(std::iter::repeat_n(' ', blanks));
    }
    format!("{}\n", out.trim_end())
}

/// Characters a terminal shows: colours take no room.
fn width(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().chars().count()
}

pub(crate) fn json(value: &impl serde::Serialize) -> Outcome<String> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| format!("{text}\n")).map_err(|error| Failure::fault(error.to_string()))
}

fn yaml(value: &impl serde::Serialize) -> Outcome<String> {
    let text = serde_saphyr::to_string(value);
    text.map_err(|error| Failure::fault(error.to_string()))
}

/// What a later command would name the thing by.
fn id(item: &Value) -> String {
    let names = ["id", "execution_id", "cause", "name"];
    let name = names.into_iter().find_map(|field| item[field].as_str());
    format!("{}\n", name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_item_and_no_trailing_blanks() {
        let items =
            [json!({"id": "evt_1", "type": "a.b", "source": "/s"}), json!({"id": "evt_22"})];
        let text = table(&items, columns::EVENTS);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("ID      TYPE  SOURCE"), "{text}");
        assert!(lines[1].starts_with("evt_1   a.b   /s"), "{text}");
        assert_eq!(lines[2], "evt_22");
    }

    #[test]
    fn colours_take_no_room() {
        let items = [json!({"name": "a", "status": "ready", "runtime": "bun"})];
        let text = anstream::adapter::strip_str(&table(&items, columns::FUNCTIONS)).to_string();
        assert!(text.starts_with("NAME  STATUS  RUNTIME"), "{text}");
        assert!(text.contains("\na     ready   bun"), "{text}");
    }

    #[test]
    fn ids_are_what_later_commands_take() {
        assert_eq!(id(&json!({"id": "evt_1", "name": "x"})), "evt_1\n");
        assert_eq!(id(&json!({"execution_id": "exe_1"})), "exe_1\n");
        assert_eq!(id(&json!({"name": "x"})), "x\n");
    }
}
