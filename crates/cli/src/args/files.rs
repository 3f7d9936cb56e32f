//! `evoke files`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::OutputArgs;

/// What is done with buckets and files.
#[derive(Subcommand, Clone, Debug)]
pub enum FilesCommand {
    /// List buckets
    #[command(after_help = "Example:\n  evoke files buckets\n  evoke files buckets -o id")]
    Buckets(OutputArgs),
    /// Make a bucket, or change what may be in it
    #[command(
        after_help = "Example:\n  evoke files bucket avatars --public --type 'image/*' --max-bytes 5000000"
    )]
    Bucket(PutBucket),
    /// Delete buckets that are empty
    #[command(after_help = "Example:\n  evoke files delete-bucket avatars")]
    DeleteBucket {
        /// Names of buckets
        #[arg(required = true)]
        buckets: Vec<String>,
    },
    /// List files
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke files list uploads\n  evoke files list uploads/images/ --folders"
    )]
    List(ListFiles),
    /// Upload a file
    #[command(
        visible_alias = "upload",
        after_help = "Example:\n  evoke files put cat.jpg uploads/images/\n  tar c . | evoke files put - backups/today.tar"
    )]
    Put(PutFile),
    /// Download a file
    #[command(
        visible_alias = "download",
        after_help = "Example:\n  evoke files get uploads/notes.txt\n  evoke files get uploads/images/cat.jpg --to cat.jpg"
    )]
    Get(GetFile),
    /// Delete files
    #[command(
        visible_alias = "rm",
        after_help = "Example:\n  evoke files delete uploads/images/cat.jpg"
    )]
    Delete {
        /// Files: BUCKET/NAME
        #[arg(required = true, value_name = "BUCKET/NAME")]
        files: Vec<String>,
    },
    /// Sign a link that needs no key
    #[command(
        after_help = "Example:\n  evoke files sign uploads/images/cat.jpg --expires 1h\n  evoke files sign uploads/new.jpg --method put"
    )]
    Sign(SignFile),
}

/// `evoke files bucket`.
#[derive(Args, Clone, Debug)]
pub struct PutBucket {
    /// Name of the bucket
    pub name: String,
    /// Let everybody read its files
    #[arg(long)]
    pub public: bool,
    /// Bytes of a file at most [default: 5 GiB]
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<u64>,
    /// Media types of files; repeat it for more [default: all]
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke files list`.
#[derive(Args, Clone, Debug)]
pub struct ListFiles {
    /// The bucket, or the bucket and how names begin: BUCKET/PREFIX
    #[arg(value_name = "BUCKET[/PREFIX]")]
    pub place: String,
    /// Fold what lies below folders
    #[arg(long)]
    pub folders: bool,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke files put`.
#[derive(Args, Clone, Debug)]
pub struct PutFile {
    /// The file here, or - for stdin
    pub file: PathBuf,
    /// Where it goes; with a / at the end, or as a bucket alone, under its own name
    #[arg(value_name = "BUCKET[/NAME]")]
    pub place: String,
    /// Its media type [default: what its name tells]
    #[arg(long = "type", value_name = "TYPE")]
    pub content_type: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke files get`.
#[derive(Args, Clone, Debug)]
pub struct GetFile {
    /// The file
    #[arg(value_name = "BUCKET/NAME")]
    pub place: String,
    /// Where it goes [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// `evoke files sign`.
#[derive(Args, Clone, Debug)]
pub struct SignFile {
    /// The file, which need not be there
    #[arg(value_name = "BUCKET/NAME")]
    pub place: String,
    /// What the link allows
    #[arg(long, value_enum, default_value_t)]
    pub method: LinkFor,
    /// How long it is good: 90s, 15m, 7d
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub expires: String,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What a link allows.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LinkFor {
    /// Reading.
    #[default]
    Get,
    /// Writing.
    Put,
}
