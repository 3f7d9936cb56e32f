//! A lane is tested by tables for each policy and for each pair of policies, and by a model that is
//! driven at random under all policies at once.

mod bed;
mod debounce;
mod gather;
mod model;
mod order;
mod pairs;
mod plain;
mod priority;
mod rate;

use super::*;
