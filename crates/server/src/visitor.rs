//! Where a request comes from, as far as users are told and guarded by it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use evoke_auth::Visitor;
use evoke_ports::Origin;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::context::{Context, text};
use crate::extract::{About, Shared};
use crate::refusal::Refusal;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Who asks, as the service of users wants to know it.
pub(crate) struct Visiting(pub(crate) Visitor);

/// The token a user shows, if any.
pub(crate) struct Bearer(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Visiting {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let About(context) = About::from_request_parts(parts, state).await?;
        let Shared(server) = Shared::from_request_parts(parts, state).await?;
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let told = server.options.client_address.as_ref();
        let ip = told.and_then(|header| forwarded(&parts.headers, header)).or(peer);
        let Context { request_id, traceparent, caller, .. } = context;
        let origin = Origin { cause: caller.cause(), traceparent, request_id: Some(request_id) };
        let user_agent = text(&parts.headers, &USER_AGENT).map(str::to_owned);
        Ok(Self(Visitor { ip, user_agent, origin }))
    }
}

/// What the proxy in front of the server says. It adds to what was there, so the last one is its.
fn forwarded(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let value = text(&parts.headers, &AUTHORIZATION);
        let token = value.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Ok(Self(token.map(|(_, token)| token.trim().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_proxy_is_believed_and_nobody_before_it() {
        let name = HeaderName::from_static("x-forwarded-for");
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, value.parse().unwrap());
            }
            forwarded(&headers, &name).map(|ip| ip.to_string())
        };
        assert_eq!(of(&["6.6.6.6, 203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of(&["6.6.6.6", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!((of(&[]), of(&["unknown"]), of(&["1.2.3.4, x"])), (None, None, None));
    }
}
