//! `evoke keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// API keys.
#[derive(Subcommand, Debug)]
pub enum KeysCommand {
    /// Make a key; it is shown once
    #[command(
        after_help = "Example:\n  evoke keys create deploy\n  evoke keys create first --local --config /srv/shop/evoke.toml"
    )]
    Create(CreateKey),
    /// List keys, without their secrets
    #[command(visible_alias = "ls", after_help = "Example:\n  evoke keys list")]
    List(OutputArgs),
    /// Take keys away; they stop working at once
    #[command(after_help = "Example:\n  evoke keys delete key_01j9z3k5m7n8p")]
    Delete {
        /// Ids of keys
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// `evoke keys create`.
#[derive(Args, Clone, Debug)]
pub struct CreateKey {
    /// What it is for
    pub name: String,
    /// Write it into the store directly, while no server runs: the first key of a server
    #[arg(long)]
    pub local: bool,
    /// With --local: the settings that say where the store is
    #[arg(short, long, default_value = "evoke.toml", value_name = "FILE", requires = "local")]
    pub config: PathBuf,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A key that is made without a server.
#[derive(Clone, Debug)]
pub struct LocalKeyArgs {
    /// What it is for.
    pub name: String,
    /// The settings that say where the store is.
    pub config: PathBuf,
}
