//! The contracts between the engine and everything that is plugged into it. One file a contract;
//! implementations live in the plural folders: [`source`] in `sources`, [`store`] in `stores`.

pub mod clock;
pub mod descriptor;
pub mod fields;
pub mod http;
pub mod identity;
pub mod journal;
pub mod runtime;
pub mod source;
pub mod store;
pub mod target;
pub mod trace;

pub use clock::{Clock, SystemClock};
pub use descriptor::{Descriptor, Runs};
pub use fields::Fields;
pub use http::{Body, HttpCall, HttpReply};
pub use identity::{Identify, Nobody, Unidentified, User};
pub use journal::{Agreed, Asked, Journal, News, Origin, Revise, Unkept, Unmade};
pub use runtime::{Call, Found, Functions, Input, LogSink, Pool, PoolStatus, Reply, Runtime};
pub use source::{
    Arrived, Claim, Denied, HttpIntake, Poll, Received, Recurring, Repeats, Sample, Source, Timing,
};
pub use store::{Store, Write, Writer};
pub use target::{Delivered, Endpoint, Job, Target};
pub use trace::{NoTracer, Span, SpanKind, Tracer};
