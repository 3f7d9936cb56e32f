//! Who may come in. Without keys the server is open to this machine only, and "this machine" must
//! not include pages of other sites in its browsers.

use evoke_engine::Engine;
use evoke_model::{Code, ExecutionId, Problem};
use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};

use crate::context::{Caller, authority, text};
use crate::options::AuthMode;
use crate::refusal::Refusal;

/// Where others look for the keys that tokens are signed with.
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a caller must show for a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// Nothing that is shown here: whoever answers decides. Pages of other sites stay out where the
    /// server is open to this machine only.
    NoKey,
    /// An API key or the token of a running function.
    KeyOrToken,
    /// An API key.
    Key,
}

/// What a management path needs. Probes ask for health without keys, and editors for the schema of
/// a manifest; the pages of error codes are the same for everybody.
pub(crate) fn need(method: &Method, path: &str) -> Need {
    let is_public = path == "/health"
        || path.starts_with("/health/")
        || path.starts_with("/docs/errors/")
        || path == "/schemas/function.json"
        || path == JWKS
        // A link proves itself, and files of public buckets are everybody's.
        || path.starts_with("/storage/");
    if is_public {
        return Need::Nothing;
    }
    let path = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api"));
    match path {
        Some("/auth/jwks") => return Need::Nothing,
        Some(path) if is_of_users(path) => return Need::NoKey,
        _ => {}
    }
    let calls = |path: &str| path == "/events" || path.starts_with("/functions/");
    let is_for_functions = path.is_some_and(|path| {
        is_data(path) && !defines(method, path) || method == Method::POST && calls(path)
    });
    if is_for_functions { Need::KeyOrToken } else { Need::Key }
}

/// Whether a path is one of the data services'.
fn is_data(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(first, "auth" | "buckets" | "collections" | "transactions")
}

/// Whether a request makes, changes or removes a collection or a bucket as such: that is for who
/// runs the server.
fn defines(method: &Method, path: &str) -> bool {
    let mut segments = path.trim_end_matches('/').split('/').skip(1);
    let is_whole = matches!(segments.next(), Some("buckets" | "collections"))
        && segments.next().is_some()
        && segments.next().is_none();
    is_whole && method != Method::GET && method != Method::HEAD
}

/// Whether a documented path needs neither key nor token of a function.
pub(crate) fn is_for_anybody(path: &str) -> bool {
    path == JWKS || path.strip_prefix("/api").is_some_and(is_of_users)
}

/// Whether a path is for users themselves, and not for who runs the server.
fn is_of_users(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    segments.next() == Some("auth") && segments.next().is_some_and(|next| next != "users")
}

/// The bucket whose file a request reads, if it is such a request.
pub(crate) fn bucket_read<'p>(method: &Method, path: &'p str) -> Option<&'p str> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let path = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api"))?;
    let (bucket, rest) = path.strip_prefix("/buckets/")?.split_once('/')?;
    (is_read && rest.starts_with("files/")).then_some(bucket)
}

/// Lets a caller in.
///
/// # Errors
/// FN_009: 401 without a key, 403 with one that is not enough or from a foreign page.
pub(crate) fn admit(
    engine: &Engine,
    mode: &AuthMode,
    parts: &Parts,
    need: Need,
) -> Result<Caller, Refusal> {
    if need == Need::Nothing {
        return Ok(Caller::Anyone);
    }
    let presented = presented(&parts.headers);
    let cause = cause(engine, presented)?;
    match (mode, presented, cause) {
        (AuthMode::Open { hosts }, _, _) => {
            is_from_here(parts, hosts)?;
            Ok(cause.map_or(Caller::Anyone, Caller::Execution))
        }
        (AuthMode::Keys, _, _) if need == Need::NoKey => {
            Ok(cause.map_or(Caller::Anyone, Caller::Execution))
        }
        (AuthMode::Keys, _, Some(cause)) if need == Need::KeyOrToken => {
            Ok(Caller::Execution(cause))
        }
        (AuthMode::Keys, _, Some(_)) => {
            let message = "the token of a function may send events, call functions and use data, \
                           but define nothing";
            Err(Refusal::new(Code::PermissionDenied, message))
        }
        (AuthMode::Keys, None, None) => Err(Refusal::unauthenticated(
            "an API key is needed: send Authorization: Bearer evk_... or X-API-Key",
        )),
        (AuthMode::Keys, Some(presented), None) => match engine.verify_key(presented) {
            Some(key) => Ok(Caller::Key(key)),
            None => Err(Refusal::unauthenticated("the API key is not known")),
        },
    }
}

/// The execution whose token came with a request to a route of a function, where none is needed.
///
/// # Errors
/// FN_009 with 401: its execution has ended.
pub(crate) fn caller_of_route(engine: &Engine, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let cause = cause(engine, presented(headers))?;
    Ok(cause.map_or(Caller::Anyone, Caller::Execution))
}

/// The execution whose token is presented. One that has ended is nobody: what it still did would
/// have no cause, and could go on causing itself without end.
fn cause(engine: &Engine, presented: Option<&str>) -> Result<Option<ExecutionId>, Refusal> {
    let Some(token) = presented.filter(|text| Engine::is_token(text)) else { return Ok(None) };
    match engine.cause_of(token) {
        Some(cause) => Ok(Some(cause)),
        None => Err(Refusal::unauthenticated(
            "the token is that of a call that is over: it is good for as long as the call runs",
        )),
    }
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = text(headers, &API_KEY) {
        return Some(key.trim());
    }
    let (scheme, token) = text(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses what a browser sends for a page of another site: under a name that was made to point
/// here (DNS rebinding), or straight to our address.
fn is_from_here(parts: &Parts, hosts: &[String]) -> Result<(), Refusal> {
    let refuse = |field: &str, value: &str, hint: &str| {
        let shown: String = value.chars().take(100).collect();
        let problem = Problem::new(field, format!("{shown:?} is not this server")).suggest(hint);
        Err(Refusal::of(Code::PermissionDenied, vec![problem]))
    };
    if let Some(addressed) = authority(&parts.uri, &parts.headers)
        && !is_here(addressed, hosts)
    {
        return refuse("Host", addressed, "use localhost, or allow the name in the configuration");
    }
    let Some(origin) = parts.headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("?");
    match origin.split_once("://") {
        Some((_, from)) if is_here(from, hosts) => Ok(()),
        _ => refuse("Origin", origin, "pages of other sites may not call a server without keys"),
    }
}

fn is_here(authority: &str, hosts: &[String]) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    if let Ok(address) = host.parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_here() {
        let hosts = ["dev.test".to_owned()];
        for name in [
            "localhost",
            "LOCALHOST:8090",
            "127.0.0.1:1",
            "127.8.0.1",
            "[::1]:8090",
            "[::1]",
            "app.localhost:8090",
            "dev.test:80",
            "localhost.",
        ] {
            assert!(is_here(name, &hosts), "{name}");
        }
        for name in [
            "",
            "evil.test",
            "localhost.evil.test",
            "10.0.0.1:8090",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "[::2]:80",
            "dev.test.evil",
        ] {
            assert!(!is_here(name, &hosts), "{name}");
        }
    }

    #[test]
    fn each_path_has_its_need() {
        let table = [
            (Method::GET, "/health/ready", Need::Nothing),
            (Method::GET, "/schemas/function.json", Need::Nothing),
            (Method::GET, "/metrics", Need::Key),
            (Method::GET, "/api/events", Need::Key),
            (Method::POST, "/api/events", Need::KeyOrToken),
            (Method::POST, "/api/v1/functions/f/invoke", Need::KeyOrToken),
            (Method::POST, "/api/events/replay", Need::Key),
            (Method::DELETE, "/api/dead-letters", Need::Key),
            (Method::POST, "/api/triggers", Need::Key),
            (Method::GET, "/healthy", Need::Key),
            (Method::POST, "/api/auth/signup", Need::NoKey),
            (Method::PATCH, "/api/v1/auth/me", Need::NoKey),
            (Method::POST, "/api/auth/verify-email/request", Need::NoKey),
            (Method::GET, "/api/auth/jwks", Need::Nothing),
            (Method::GET, "/.well-known/jwks.json", Need::Nothing),
            (Method::GET, "/api/auth/users", Need::KeyOrToken),
            (Method::DELETE, "/api/v1/auth/users/usr_1", Need::KeyOrToken),
            (Method::GET, "/api/auth/users/", Need::KeyOrToken),
            (Method::GET, "/api/auth", Need::KeyOrToken),
            (Method::GET, "/api/authx/me", Need::Key),
            (Method::GET, "/api/collections", Need::KeyOrToken),
            (Method::GET, "/api/collections/users", Need::KeyOrToken),
            (Method::PUT, "/api/collections/users", Need::Key),
            (Method::DELETE, "/api/v1/collections/users/", Need::Key),
            (Method::DELETE, "/api/v1/collections/users/documents/x", Need::KeyOrToken),
            (Method::POST, "/api/collections/users/query", Need::KeyOrToken),
            (Method::POST, "/api/transactions", Need::KeyOrToken),
            (Method::GET, "/api/collectionsx", Need::Key),
            (Method::GET, "/api/buckets", Need::KeyOrToken),
            (Method::PUT, "/api/buckets/uploads", Need::Key),
            (Method::DELETE, "/api/buckets/uploads", Need::Key),
            (Method::PUT, "/api/v1/buckets/uploads/files/a/b", Need::KeyOrToken),
            (Method::PUT, "/storage/uploads/a", Need::Nothing),
        ];
        for (method, path, expected) in table {
            assert_eq!(need(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn reading_a_file_is_told_apart() {
        for (method, path, expected) in [
            (Method::GET, "/api/buckets/b/files/a/b", Some("b")),
            (Method::HEAD, "/api/v1/buckets/b/files/a", Some("b")),
            (Method::PUT, "/api/buckets/b/files/a", None),
            (Method::GET, "/api/buckets/b/files", None),
            (Method::GET, "/api/buckets/b/uploads/files/a", None),
            (Method::GET, "/buckets/b/files/a", None),
        ] {
            assert_eq!(bucket_read(&method, path), expected, "{method} {path}");
        }
    }
}
