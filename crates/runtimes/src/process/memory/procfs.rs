//! What the kernel tells of processes under `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use evoke_model::ByteSize;
use nix::unistd::{SysconfVar, sysconf};

/// What a group of processes uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Resident memory. Pages that processes of the group share count once for each.
    pub memory: ByteSize,
    /// Processor time so far, of processes that still live.
    pub cpu: Duration,
}

/// One line of `/proc/PID/stat`, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    group: i32,
    cpu_ticks: u64,
    resident_pages: u64,
}

/// Reads what each of these process groups uses, in one pass over all processes.
pub fn usage(groups: &[i32]) -> HashMap<i32, Usage> {
    let mut usage: HashMap<i32, Usage> =
        groups.iter().map(|group| (*group, Usage::default())).collect();
    let Ok(entries) = fs::read_dir("/proc") else { return usage };
    let page = unit(SysconfVar::PAGE_SIZE, 4096);
    let ticks_per_second = unit(SysconfVar::CLK_TCK, 100);
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        // A process may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some(stat) = parse(&text) else { continue };
        if let Some(sum) = usage.get_mut(&stat.group) {
            sum.memory = ByteSize::new(sum.memory.as_u64() + stat.resident_pages * page);
            sum.cpu += Duration::from_millis(stat.cpu_ticks * 1_000 / ticks_per_second);
        }
    }
    usage
}

/// How long the main thread of a process has run on a processor or waited for one.
pub fn run_time(process: i32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?;
    let mut nanos = text.split_ascii_whitespace().map(str::parse);
    let (ran, waited): (u64, u64) = (nanos.next()?.ok()?, nanos.next()?.ok()?);
    Some(Duration::from_nanos(ran + waited))
}

fn unit(name: SysconfVar, usual: u64) -> u64 {
    sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok()).unwrap_or(usual)
}

/// The name of a process stands in brackets and may hold anything, so fields count from the last
/// bracket on: state, parent, group, ... (proc(5)).
fn parse(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        group: fields.get(2)?.parse().ok()?,
        cpu_ticks: number(11)? + number(12)?,
        resident_pages: number(21)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_confuses_nobody() {
        let text = "77 (a) b (c) S 1 77 70 0 -1 4194304 1 2 3 4 15 5 0 0 20 0 1 0 9 1000 250 18 0";
        assert_eq!(parse(text), Some(Stat { group: 77, cpu_ticks: 20, resident_pages: 250 }));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn the_own_group_uses_something() {
        let group = nix::unistd::getpgrp().as_raw();
        let usage = usage(&[group, i32::MAX]);
        assert!(usage[&group].memory > ByteSize::from_mb(1));
        assert_eq!(usage[&i32::MAX], Usage::default());
    }
}
