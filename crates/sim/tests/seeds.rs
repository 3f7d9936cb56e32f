//! A seed decides everything.

use evoke_sim::{Options, run};

#[test]
fn a_seed_gives_the_same_trace_again() {
    for seed in [3, 17, 4_711] {
        let (first, second) = (run(seed, Options::default()), run(seed, Options::default()));
        let pairs = first.trace.iter().zip(&second.trace);
        if let Some((one, other)) = pairs.into_iter().find(|(one, other)| one != other) {
            panic!("seed {seed} went two ways:\n{one}\n{other}");
        }
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.trace.len() > 50, "seed {seed} hardly did anything");
    }
}

#[test]
fn seeds_give_different_traces() {
    let hashes: Vec<u64> = (0..4).map(|seed| run(seed, Options { steps: Some(20) }).hash).collect();
    assert!(hashes.windows(2).all(|two| two[0] != two[1]), "{hashes:x?}");
}

#[test]
fn what_must_hold_holds() {
    for seed in 0..25 {
        let report = run(seed, Options::default());
        let wrong = report.wrong.unwrap_or_default();
        assert_eq!(wrong, "", "see: cargo xtask sim --seed {seed}");
    }
}
