//! Problems: the user's mistakes, with a code, the field, what was wrong and what would be right.

use std::fmt;

/// One thing that is wrong with what a user gave.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// Path of the field: `triggers[2].retry.attempts`; empty when it is the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem of one field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), suggestion: None }
    }

    /// With what would be right.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

/// A refusal: the code, a sentence, and all problems at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The error code; its HTTP status is [`Code::status`].
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// When it makes sense to come back.
    pub retry_after: Option<crate::units::Millis>,
    /// Another HTTP status than that of the code, 400 to 499: a hook chose it.
    pub status: Option<u16>,
}

impl Rejection {
    /// A refusal without single fields.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problems: Vec::new(),
            retry_after: None,
            status: None,
        }
    }

    /// A refusal for these problems.
    pub fn of(code: Code, problems: Vec<Problem>) -> Self {
        let message = match problems.as_slice() {
            [] => code.title().to_owned(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        };
        Self { code, message, problems, retry_after: None, status: None }
    }

    /// With the time after which to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: crate::units::Millis) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// The error codes. Each has a page `docs/errors/<CODE>.md`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code {
            $($(#[$doc])* #[doc = $title] $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text: `FN_006`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    FunctionNotFound = "FN_001", 404, "Function not found";
    FunctionTimeout = "FN_002", 504, "Timeout exceeded";
    FunctionMemory = "FN_003", 502, "Memory limit exceeded";
    FunctionError = "FN_004", 502, "Runtime error";
    DeploymentFailed = "FN_005", 422, "Deployment failed";
    InvalidConfiguration = "FN_006", 400, "Invalid configuration";
    RateLimited = "FN_007", 429, "Rate limit exceeded";
    ColdStartTimeout = "FN_008", 504, "Cold start timeout";
    PermissionDenied = "FN_009", 403, "Permission denied";
    ResponseTooLarge = "FN_011", 502, "Response too large";
    InvalidEvent = "EV_001", 400, "Invalid event";
    EventNotFound = "EV_002", 404, "Event not found";
    IntakeFull = "EV_003", 503, "Intake is full";
    LoopBroken = "EV_004", 409, "Loop broken";
    PayloadInvalid = "EV_005", 400, "Payload does not fit its schema";
    TriggerNotFound = "TR_001", 404, "Trigger not found";
    InvalidTrigger = "TR_002", 400, "Invalid trigger";
    TriggerConflict = "TR_003", 409, "Trigger conflict";
    ExecutionNotFound = "EX_001", 404, "Execution not found";
    ExecutionState = "EX_002", 409, "Execution is not in a state for this";
    ExecutionCancelled = "EX_003", 409, "Execution was cancelled";
    ExecutionSkipped = "EX_004", 409, "Execution was skipped";
    NoDeadLetter = "EX_005", 409, "Not a dead letter";
    TransformFailed = "TR_004", 422, "Transform failed";
    WebhookRefused = "TR_005", 401, "Webhook not verified";
    BatchItemFailed = "FN_012", 502, "Item of a batch failed";
    OperationNotFound = "OP_001", 404, "Operation not found";
    OperationState = "OP_002", 409, "Operation is not in a state for this";
    TargetFailed = "HT_001", 502, "HTTP target failed";
    TargetTimeout = "HT_002", 504, "HTTP target timed out";
    TargetRefused = "HT_003", 502, "HTTP target address is not allowed";
    TargetUnreachable = "HT_004", 502, "HTTP target cannot be reached";
    InvalidRequest = "API_001", 400, "Invalid request";
    RouteNotFound = "API_002", 404, "Not found";
    MethodNotAllowed = "API_003", 405, "Method not allowed";
    BodyTooLarge = "API_004", 413, "Body too large";
    MediaType = "API_005", 415, "Unsupported media type";
    Internal = "API_006", 500, "Internal error";
    ShuttingDown = "API_007", 503, "Shutting down";
    KeyNotFound = "API_008", 404, "API key not found";
    RequestTimeout = "API_009", 408, "Request timed out";
    Starting = "API_010", 503, "Starting";
    CollectionNotFound = "DB_001", 404, "Collection not found";
    DocumentNotFound = "DB_002", 404, "Document not found";
    DocumentInvalid = "DB_003", 400, "Invalid document";
    DocumentChanged = "DB_004", 412, "Document was changed";
    DocumentConflict = "DB_005", 409, "Document conflict";
    QueryInvalid = "DB_006", 400, "Invalid query";
    CollectionConflict = "DB_007", 409, "Collection conflict";
    HookRejected = "HK_001", 422, "Rejected by a hook";
    HookFailed = "HK_002", 502, "Hook failed";
    HookTimeout = "HK_003", 504, "Hook timed out";
    BucketNotFound = "SO_001", 404, "Bucket not found";
    FileNotFound = "SO_002", 404, "File not found";
    FileInvalid = "SO_003", 400, "Invalid file or name";
    FileTooLarge = "SO_004", 413, "File too large";
    FileTypeRefused = "SO_005", 415, "Content type not allowed";
    FileChanged = "SO_006", 412, "File was changed";
    UploadNotFound = "SO_007", 404, "Upload not found";
    UploadConflict = "SO_008", 409, "Upload conflict";
    RangeInvalid = "SO_009", 416, "Range cannot be satisfied";
    LinkInvalid = "SO_010", 403, "Link is not valid";
    StorageUnavailable = "SO_011", 503, "Storage unavailable";
    CredentialsWrong = "AU_001", 401, "Wrong email or password";
    TokenInvalid = "AU_002", 401, "Token is not valid";
    AccountLocked = "AU_003", 429, "Too many attempts";
    EmailTaken = "AU_004", 409, "Email is taken";
    UserNotFound = "AU_005", 404, "User not found";
    SignupInvalid = "AU_006", 400, "Invalid account data";
    RoleMissing = "AU_007", 403, "Role is missing";
    MailFailed = "AU_008", 502, "Mail could not be sent";
    StoreUnavailable = "ST_001", 503, "Store unavailable";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("unknown code {text}")))
    }
}
