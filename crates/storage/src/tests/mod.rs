//! Storage as a whole, on a store in memory and a disk that is there.

mod buckets;
mod files;
mod parts;
mod readers;
mod sweep;
mod types;
mod world;

use world::World;
