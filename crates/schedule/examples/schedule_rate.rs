//! How long one answer takes: `cargo run --release -p evoke-schedule --example schedule_rate`.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use evoke_model::Timestamp;
use evoke_schedule::{Schedule, Spec};

const ROUNDS: u32 = 20_000;

fn main() {
    let crons = [
        "* * * * *",
        "*/5 * * * *",
        "0 9 * * MON-FRI",
        "30 2 * * *",
        "*/10 * * * * *",
        "0 0 LW * *",
        "0 0 * * FRI#L",
        "0 0 29 2 *",
        "0 0 29 2 +SUN",
    ];
    for zone in ["UTC", "Europe/Berlin", "Africa/Casablanca"] {
        for cron in crons {
            let spec = Spec { cron: Some(cron), timezone: Some(zone), ..Spec::default() };
            let Ok(schedule) = Schedule::new(spec) else { continue };
            println!("{zone:18} {cron:18} {:>9.0} ns", rate(&schedule));
        }
    }
}

/// Nanoseconds of one answer, over twenty years of questions.
fn rate(schedule: &Schedule) -> f64 {
    let begun = Instant::now();
    for round in 0..ROUNDS {
        let after = Timestamp::from_millis(1_767_225_600_000 + i64::from(round) * 31_557_600);
        black_box(schedule.next_after(black_box(after), Timestamp::EPOCH));
    }
    begun.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}
