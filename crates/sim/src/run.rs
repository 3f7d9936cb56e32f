//! One seed, from its beginning to its end.

use std::sync::Arc;

use fastrand::Rng;

use crate::life::{End, Lives, live};
use crate::plan;
use crate::step::Script;
use crate::store::SimStore;
use crate::trace;
use crate::world::World;

/// How a seed is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// So many steps; between 40 and 240, as the seed says, if not given.
    pub steps: Option<u32>,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was not as it must be, if anything.
    pub wrong: Option<String>,
    /// What happened, line by line, each with its virtual time.
    pub trace: Vec<String>,
    /// A number that differs where traces differ.
    pub hash: u64,
}

/// Runs a seed. The same seed gives the same report.
pub fn run(seed: u64, options: Options) -> Report {
    let world = World::new(seed);
    if let Err(text) = run_in(&world, seed, options) {
        world.wrong(text);
    }
    let wrong = world.verdict();
    let trace = world.take_trace();
    Report { seed, wrong, hash: trace::hash(&trace), trace }
}

fn run_in(world: &Arc<World>, seed: u64, options: Options) -> Result<(), String> {
    // The engine's own chance: jitter of retries.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let plans = plan::triggers(&mut rng);
    let left = options.steps.unwrap_or_else(|| rng.u32(40..240));
    let script = Script { rng, left, number: 0 };
    let store = SimStore::new(world).map_err(|error| error.to_string())?;
    let mut lives = Lives { world: world.clone(), store, script };
    // What happened after its end must not change what is there: one more life looks again.
    let mut looks_again = true;
    loop {
        let runtime =
            evoke_virtual_time::runtime(&world.idle).map_err(|error| error.to_string())?;
        let end = runtime.block_on(live(&mut lives, &plans));
        drop(runtime);
        world.calls.lock().died();
        world.book.lock().died();
        match end {
            End::Died => {
                world.say("died");
                let mut faults = world.faults.lock();
                (faults.is_dead, faults.crash) = (false, None);
            }
            End::Rest if looks_again => {
                world.say("starts once more");
                looks_again = false;
            }
            End::Rest | End::Wrong => return Ok(()),
        }
    }
}
