//! `evoke db`.

use clap::{Args, Subcommand};

use super::OutputArgs;

/// Collections of documents.
#[derive(Subcommand, Clone, Debug)]
pub enum DbCommand {
    /// List collections with their indexes
    #[command(after_help = "Example:\n  evoke db collections\n  evoke db collections -o json")]
    Collections(OutputArgs),
    /// List documents of a collection
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke db list users\n  evoke db list users --where 'age >= 18' --where 'active == true' --order-by -age --limit 10"
    )]
    List(ListDocuments),
    /// Show one document
    #[command(after_help = "Example:\n  evoke db get users ada -o json")]
    Get(GetDocument),
    /// Create documents: one, or a list of them; prints their ids
    #[command(
        after_help = "Example:\n  evoke db create users --data '{\"id\": \"ada\", \"age\": 36}'\n  evoke db create users --data @users.json"
    )]
    Create(CreateDocuments),
    /// Change a document, or all that meet conditions: what is given is merged in
    #[command(
        after_help = "Example:\n  evoke db update users ada --data '{\"age\": 37, \"city\": null}'\n  evoke db update users ada --data '{\"age\": 37}' --replace --upsert\n  evoke db update users --where 'active == false' --data '{\"archived\": true}'"
    )]
    Update(UpdateDocuments),
    /// Delete documents: by their ids, or all that meet conditions
    #[command(
        after_help = "Example:\n  evoke db delete users ada grace\n  evoke db delete users --where 'archived == true'"
    )]
    Delete(DeleteDocuments),
    /// Ask a collection with a query in JSON, as the API takes it
    #[command(
        after_help = "Example:\n  evoke db query users '{\"where\": [[\"age\", \">=\", 18]], \"order_by\": [\"-age\"]}'\n  evoke db query users @query.json --explain"
    )]
    Query(QueryDocuments),
    /// Count documents
    #[command(after_help = "Example:\n  evoke db count users --where 'age >= 18'")]
    Count(CountDocuments),
    /// Print changes of a collection as they come, until Ctrl-C
    #[command(visible_alias = "tail", after_help = "Example:\n  evoke db changes users -o json")]
    Changes(FollowChanges),
}

/// Which documents.
#[derive(Args, Clone, Debug, Default)]
pub struct Where {
    /// A condition: a field, an operator and a value with blanks between; all must hold
    #[arg(long = "where", value_name = "FIELD OP VALUE")]
    pub conditions: Vec<String>,
}

/// `evoke db list`.
#[derive(Args, Clone, Debug)]
pub struct ListDocuments {
    /// The collection
    pub collection: String,
    /// Which documents.
    #[command(flatten)]
    pub which: Where,
    /// Order by this field, the other way round with - in front
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub order_by: Vec<String>,
    /// At most so many
    #[arg(short, long, default_value_t = 50)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke db get`.
#[derive(Args, Clone, Debug)]
pub struct GetDocument {
    /// The collection
    pub collection: String,
    /// The document's id
    pub id: String,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke db create`.
#[derive(Args, Clone, Debug)]
pub struct CreateDocuments {
    /// The collection
    pub collection: String,
    /// The document, or a list of up to 1,000: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub data: String,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke db update`.
#[derive(Args, Clone, Debug)]
pub struct UpdateDocuments {
    /// The collection
    pub collection: String,
    /// The document's id
    #[arg(required_unless_present = "conditions", conflicts_with = "conditions")]
    pub id: Option<String>,
    /// What changes, null to take a field away: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub data: String,
    /// Which documents.
    #[command(flatten)]
    pub which: Where,
    /// Put what is given in the place of the document
    #[arg(long, requires = "id")]
    pub replace: bool,
    /// With --replace: create it where it is not there
    #[arg(long, requires = "replace")]
    pub upsert: bool,
    /// Only if it still has this revision
    #[arg(long, value_name = "REVISION", requires = "id")]
    pub if_match: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke db delete`.
#[derive(Args, Clone, Debug)]
pub struct DeleteDocuments {
    /// The collection
    pub collection: String,
    /// Ids of documents
    #[arg(required_unless_present = "conditions", conflicts_with = "conditions")]
    pub ids: Vec<String>,
    /// Which documents.
    #[command(flatten)]
    pub which: Where,
}

/// `evoke db query`.
#[derive(Args, Clone, Debug)]
pub struct QueryDocuments {
    /// The collection
    pub collection: String,
    /// The query: JSON, @FILE, or - for stdin
    #[arg(value_name = "JSON|@FILE|-")]
    pub query: String,
    /// Print how it would be carried out instead
    #[arg(long)]
    pub explain: bool,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke db count`.
#[derive(Args, Clone, Debug)]
pub struct CountDocuments {
    /// The collection
    pub collection: String,
    /// Which documents.
    #[command(flatten)]
    pub which: Where,
}

/// `evoke db changes`.
#[derive(Args, Clone, Debug)]
pub struct FollowChanges {
    /// The collection
    pub collection: String,
    /// How they are printed; json gives one object a line.
    #[command(flatten)]
    pub output: OutputArgs,
}
