//! Twilio's signature: of the address, and of the names and values of a form in sorted order. The
//! hash of any other body is a parameter of the address. The auth token of an account signs with
//! SHA-1, a shared key with SHA-256; the length of a signature tells which.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::mac::{Algorithm, hmac};
use crate::preset::Place;
use crate::refused::Refused;
use crate::request::Request;
use crate::secret::Secret;
use crate::signature::delivery;
use crate::verifier::Verified;

const HEADER: &str = "x-twilio-signature";
const DELIVERY: Place = Place::header("i-twilio-idempotency-token");
const FORM: &str = "application/x-www-form-urlencoded";
const BODY_HASH: &str = "bodySHA256";

/// `address` replaces what stands before the query, if it is given.
pub(crate) fn verify(
    address: Option<&str>,
    secrets: &[Secret],
    request: &Request<'_>,
) -> Result<Verified, Refused> {
    let given = request.required(HEADER)?;
    let code = STANDARD.decode(given).ok();
    let code = code.ok_or_else(|| Refused::header(HEADER, "is no signature"))?;
    let algorithms = [Algorithm::Sha1, Algorithm::Sha256];
    let algorithm = algorithms.into_iter().find(|algorithm| algorithm.bytes() == code.len());
    let algorithm =
        algorithm.ok_or_else(|| Refused::header(HEADER, "is no signature of a known length"))?;
    let url = url(address, request.url).ok_or(Refused::Mismatch)?;
    let parameters = parameters(&url, request)?;
    let mut fits = Choice::from(0);
    for url in variants(&url) {
        let mut pieces = vec![url.as_bytes()];
        pieces.extend(parameters.iter().flat_map(|(name, value)| [&name[..], &value[..]]));
        for secret in secrets {
            fits |= hmac(algorithm, secret.key(), &pieces).ct_eq(&code);
        }
    }
    if !bool::from(fits) {
        return Err(Refused::Mismatch);
    }
    Ok(Verified { delivery: delivery(&DELIVERY, request)?, delivery_is_signed: false })
}

/// The address as Twilio was told it. A query of its own is the request's, or the function would be
/// given one that nobody has signed.
fn url<'a>(address: Option<&'a str>, url: &'a str) -> Option<Cow<'a, str>> {
    let Some(address) = address else { return Some(Cow::Borrowed(url)) };
    let asked = url.split_once('?').map(|(_, query)| query);
    match (address.split_once('?'), asked) {
        (None, Some(query)) => Some(Cow::Owned(format!("{address}?{query}"))),
        (Some((_, own)), asked) if asked != Some(own) => None,
        _ => Some(Cow::Borrowed(address)),
    }
}

type Parameters<'a> = BTreeSet<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// What of the body is signed: all of it, or the request is refused.
fn parameters<'a>(url: &str, request: &Request<'a>) -> Result<Parameters<'a>, Refused> {
    if request.body.is_empty() {
        return Ok(Parameters::new());
    }
    let kind = request.optional("content-type")?.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(FORM) {
        return Ok(form(request.body).collect());
    }
    let query = url.split_once('?').map_or("", |(_, query)| query).as_bytes();
    let hashes: Vec<_> = form(query).filter(|(name, _)| **name == *BODY_HASH.as_bytes()).collect();
    let [(_, hash)] = hashes.as_slice() else {
        return Err(Refused::body("is no form, and the address does not have its hash"));
    };
    let expected = Sha256::digest(request.body);
    let fits = hex::decode(hash).is_ok_and(|hash| expected.ct_eq(&hash).into());
    if fits { Ok(Parameters::new()) } else { Err(Refused::Mismatch) }
}

/// The pairs of a form, decoded. Some senders repeat a pair; it is signed once.
fn form(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'+') {
        let spaced: Vec<u8> =
            text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).collect());
    }
    percent_decode(text).into()
}

/// The address with and without its port: Twilio signs the one or the other.
fn variants(url: &str) -> Vec<Cow<'_, str>> {
    let Some((scheme, rest)) = url.split_once("://") else { return vec![Cow::Borrowed(url)] };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // The last colon is the port's unless it is inside of an IPv6 address.
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let other = match host {
        Some((host, _)) => format!("{scheme}://{host}{tail}"),
        None => {
            let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            format!("{scheme}://{authority}:{port}{tail}")
        }
    };
    vec![Cow::Borrowed(url), Cow::Owned(other)]
}
