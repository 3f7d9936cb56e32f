//! The report as a table for a terminal.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use super::{Report, Row};

pub(super) fn render(report: &Report) -> String {
    let mut out = head(report);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        // Not a terminal: lines are not broken, so that the text can be searched.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(["", "what", "figure", "floor", "ratio", "must", "aim", "verdict"]);
    for row in &report.rows {
        table.add_row(cells(row));
    }
    out.push_str(&table.to_string());
    out.push('\n');
    for row in report.rows.iter().filter(|row| !row.note.is_empty()) {
        out.push_str(&format!("{:>4}  {}: {}\n", row.id, row.what, row.note));
    }
    out
}

fn head(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = String::new();
    // Writing to a String cannot fail.
    write!(
        out,
        "{}, {} cores, {} MB; Linux {}; {}; {}\nload before the run {}; {} form, {:.0} s\n",
        machine.cpu,
        machine.cores,
        machine.memory_mb,
        machine.kernel,
        machine.file_system,
        machine.versions.join(", "),
        machine.load_before,
        report.form,
        report.seconds
    )
    .ok();
    if machine.file_system == "tmpfs" {
        out.push_str("The stores lie in memory: an fsync costs nothing and no figure counts.\n");
    }
    out
}

fn cells(row: &Row) -> [String; 8] {
    let (must, aim) = match (row.goal, row.score) {
        (Some(goal), Some(score)) => {
            let (must, aim) = goal.bounds();
            (score.unit.show(must), score.unit.show(aim))
        }
        _ => (String::new(), String::new()),
    };
    [
        row.id.clone(),
        row.what.clone(),
        row.figure.as_ref().map(ToString::to_string).unwrap_or_default(),
        row.floor.as_ref().map(|(name, floor)| format!("{floor} {name}")).unwrap_or_default(),
        row.score.map(|score| score.unit.show(score.value)).unwrap_or_default(),
        must,
        aim,
        row.verdict.as_str().to_owned(),
    ]
}
