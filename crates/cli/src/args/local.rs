//! Commands that run on this machine.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::ProjectDir;

/// `evoke dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// The project.
    #[command(flatten)]
    pub project: ProjectDir,
    /// Port to listen on; 0 takes a free one [default: 8090, or as evoke.toml says]
    #[arg(short, long)]
    pub port: Option<u16>,
    /// Address to listen on [default: 127.0.0.1, or as evoke.toml says]
    #[arg(long)]
    pub host: Option<IpAddr>,
    /// Show nothing of what happens: for scripts and measurements
    #[arg(short, long)]
    pub quiet: bool,
}

/// `evoke serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The settings; the project is the folder the file lies in
    #[arg(short, long, default_value = "evoke.toml", value_name = "FILE")]
    pub config: PathBuf,
}

/// `evoke bench`.
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArgs {
    /// Under two minutes in all (the default)
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Longer phases and more rounds
    #[arg(long)]
    pub full: bool,
    /// Only these: B1 to B17
    #[arg(long, value_delimiter = ',', value_name = "B1,B6,...")]
    pub only: Vec<String>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure this binary instead of the one that runs
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Make projects and stores below this folder; it should lie on a real disk
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Also measure Restate, installed in this folder by npm
    #[arg(long, value_name = "DIR")]
    pub restate: Option<PathBuf>,
    /// Be the load generator: the load on stdin, the report on stdout.
    #[arg(long, hide = true)]
    pub load: bool,
}
