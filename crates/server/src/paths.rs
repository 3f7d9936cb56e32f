//! Whose a path is: the management API's or a function's. Decided before anything is looked up, so
//! that a route can never shadow the API and a call of a function takes no detour through it.

use evoke_ports::http::MANAGEMENT;

use crate::guard::JWKS;

/// Whose a path is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Face {
    /// The management API's, health, documentation.
    Management,
    /// A function's or a webhook's, if one claims it.
    Function,
}

/// First segments at the root that belong to the server.
const ROOTS: [&str; 6] = ["health", "metrics", "docs", "openapi.json", "schemas", "storage"];

/// Whose a path is.
pub(crate) fn face(path: &str) -> Face {
    let (first, rest) = split(path);
    let is_ours = match first {
        "api" => {
            let (resource, _) = match split(rest) {
                ("v1", rest) => split(rest),
                unversioned => unversioned,
            };
            // Webhooks are public, wherever they come in.
            resource != "webhook" && (resource.is_empty() || MANAGEMENT.contains(&resource))
        }
        other => ROOTS.contains(&other) || path == JWKS,
    };
    if is_ours { Face::Management } else { Face::Function }
}

/// Whether events are sent to this path.
pub(crate) fn is_events(path: &str) -> bool {
    path == "/api/events" || path == "/api/v1/events"
}

fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.find('/') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_comes_first_and_the_rest_is_free() {
        for path in [
            "/api/events",
            "/api/v1/keys",
            "/api/v1",
            "/api",
            "/api/",
            "/health",
            "/health/ready",
            "/docs",
            "/api/workflows/x",
            "/api/operations/opr_1/progress",
            "/api/v1/retention",
            "/openapi.json",
            "/api/webhooks",
            "/api/v1/webhooks/trg_1",
            "/api/auth/login",
            "/.well-known/jwks.json",
        ] {
            assert_eq!(face(path), Face::Management, "{path}");
        }
        for path in [
            "/",
            "/api/users/7",
            "/api/v1/users",
            "/hello",
            "/healthy",
            "/api/eventsx",
            "/webhooks/stripe",
            "/api/webhook/trg_1",
            "/api/v1/webhook/trg_1",
            "/.well-known/security.txt",
        ] {
            assert_eq!(face(path), Face::Function, "{path}");
        }
    }
}
