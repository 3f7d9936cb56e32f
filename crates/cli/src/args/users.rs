//! `evoke users`.

use clap::{Args, Subcommand};

use super::{OutputArgs, Show};

/// Users of what the project builds.
#[derive(Subcommand, Clone, Debug)]
pub enum UsersCommand {
    /// List users, the oldest first
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke users list\n  evoke users list --role admin -o id"
    )]
    List(ListUsers),
    /// Show one user, by id or address
    #[command(after_help = "Example:\n  evoke users show ada@example.com")]
    Show(Show),
    /// Make an account; without a password its owner sets one by mail
    #[command(
        after_help = "Example:\n  evoke users create ada@example.com --role admin\n  evoke users create ada@example.com --password-stdin < password.txt"
    )]
    Create(CreateUser),
    /// Say which roles a user has, all of them; none takes all away
    #[command(
        after_help = "Example:\n  evoke users roles ada@example.com admin editor\n  evoke users roles usr_01j9z3k5m7n8p"
    )]
    Roles(RolesArgs),
    /// End all sessions of users; they may log in again
    #[command(after_help = "Example:\n  evoke users logout ada@example.com")]
    Logout {
        /// Ids or addresses
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Remove users with all their sessions
    #[command(after_help = "Example:\n  evoke users delete ada@example.com")]
    Delete {
        /// Ids or addresses
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// `evoke users list`.
#[derive(Args, Clone, Debug)]
pub struct ListUsers {
    /// Only those with this role
    #[arg(long)]
    pub role: Option<String>,
    /// Only the one with this address
    #[arg(long)]
    pub email: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 50)]
    pub limit: u32,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke users create`.
#[derive(Args, Clone, Debug)]
pub struct CreateUser {
    /// The address
    pub email: String,
    /// A role; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Read the password from the first line of the standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// The address is known to be its owner's
    #[arg(long)]
    pub verified: bool,
    /// What the application keeps with the user: JSON, @FILE, or - for the standard input
    #[arg(long, value_name = "JSON", conflicts_with = "password_stdin")]
    pub data: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke users roles`.
#[derive(Args, Clone, Debug)]
pub struct RolesArgs {
    /// Id or address
    pub id: String,
    /// The roles
    pub roles: Vec<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}
