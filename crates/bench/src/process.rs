//! Looking at processes through `/proc`, and stopping them.

use std::fs;
use std::io;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// `/proc` counts CPU time in hundredths of a second on every Linux.
const TICK_MS: u64 = 10;

/// Microseconds of the Unix epoch: the clock the server's records use.
pub(crate) fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// CPU time this process used so far.
pub(crate) fn own_cpu_ms() -> u64 {
    cpu_ms(std::process::id())
}

/// CPU time a process used so far, user and system.
pub(crate) fn cpu_ms(pid: u32) -> u64 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    // The name in parentheses may hold spaces; the fields after it may not.
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    let field = |at: usize| fields.split_whitespace().nth(at).and_then(|text| text.parse().ok());
    let ticks: u64 = field(11).unwrap_or(0) + field(12).unwrap_or(0);
    ticks * TICK_MS
}

/// Resident memory of a process in bytes.
pub(crate) fn rss_bytes(pid: u32) -> u64 {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(0, |kb| kb * 1_024)
}

/// The processes below a process, at any depth.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pairs: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|child| Some((child, parent_of(child)?)))
        .collect();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether this process itself listens on a port of 127.0.0.1. That somebody answers there is not
/// enough: it may be another's server, which a benchmark would measure and fill with its events.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let sockets: Vec<String> = entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .any(|text| text.lines().any(|line| is_listener(line, port, &sockets)))
}

/// A line of `/proc/net/tcp`: number, local address, remote address, state, ..., inode.
fn is_listener(line: &str, port: u16, sockets: &[String]) -> bool {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return false };
    *state == LISTEN
        && local.ends_with(&format!(":{port:04X}"))
        && sockets.iter().any(|socket| socket == inode)
}

/// Asks a process to end, and ends it when it takes longer than `grace`.
pub(crate) fn stop(child: &mut Child, grace: Duration) -> io::Result<()> {
    signal(child, Signal::SIGTERM)?;
    let until = Instant::now() + grace;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    match kill(Pid::from_raw(pid), signal) {
        // It ended by itself in the meantime.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_belongs_to_who_listens_on_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut other = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(listens(std::process::id(), port));
        assert!(!listens(other.id(), port), "somebody else listens there");
        stop(&mut other, Duration::from_secs(5)).unwrap();
        drop(listener);
        assert!(!listens(std::process::id(), port));
    }

    #[test]
    fn this_process_has_memory_and_a_child_is_found() {
        let me = std::process::id();
        assert!(rss_bytes(me) > 100_000);
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(descendants(me).contains(&child.id()));
        stop(&mut child, Duration::from_secs(5)).unwrap();
        assert!(!descendants(me).contains(&child.id()));
    }
}
