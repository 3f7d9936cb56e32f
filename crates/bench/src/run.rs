//! A run: the groups one after the other, and what they found.

use std::path::PathBuf;
use std::time::Instant;

use crate::error::{Error, Result, Tried};
use crate::machine::Machine;
use crate::measures::{Bench, GROUPS, Group};
use crate::options::{Form, Options};
use crate::process::unix_us;
use crate::report::{Report, Row, Verdict};

/// Carries out a run. It blocks for as long as the run takes; `say` is told what is being done.
///
/// A benchmark that fails makes a row that is missed and says why; the others go on.
///
/// # Errors
/// When nothing can be measured at all, or the report cannot be written.
pub fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Report> {
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("evoke-bench-")
        .tempdir_in(&parent)
        .tried(|| format!("make a folder in {}", parent.display()))?;
    let machine = Machine::look(folder.path());
    let began = Instant::now();
    let began_at = unix_us() / 1_000_000;
    let bench = Bench { options, folder: folder.path(), say };
    let mut rows: Vec<Row> = GROUPS.iter().flat_map(|group| measure(&bench, group)).collect();
    rows.sort_by_key(|row| row.id.trim_start_matches('B').parse::<u8>().unwrap_or(0));
    let form = match options.form {
        Form::Quick => "quick",
        Form::Full => "full",
    };
    let report = Report { machine, form, began_at, seconds: began.elapsed().as_secs_f64(), rows };
    if let Some(file) = &options.json {
        write_json(&report, file)?;
    }
    Ok(report)
}

fn measure(bench: &Bench<'_>, group: &Group) -> Vec<Row> {
    let wanted: Vec<_> = group.ids.iter().copied().filter(|id| bench.wants(*id)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    match (group.measure)(bench) {
        Ok(rows) => rows,
        Err(error) => wanted
            .into_iter()
            .map(|id| {
                let row = Row::skipped(id, "not measured", error.to_string());
                match error {
                    Error::Missing(_) => row,
                    _ => Row { verdict: Verdict::Missed, ..row },
                }
            })
            .collect(),
    }
}

fn write_json(report: &Report, file: &PathBuf) -> Result<()> {
    let text = serde_json::to_vec_pretty(report)
        .map_err(std::io::Error::other)
        .tried(|| "write the report".into())?;
    std::fs::write(file, text).tried(|| format!("write {}", file.display()))
}
