//! Runs the schemes that are a code in a header: what is signed and where the code stands is data.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evoke_model::{Millis, Timestamp};
use subtle::{Choice, ConstantTimeEq as _};

use crate::body;
use crate::mac::hmac;
use crate::moment;
use crate::preset::{Encoding, Moment, Piece, Place, Signature, Time};
use crate::refused::Refused;
use crate::request::Request;
use crate::secret::Secret;
use crate::verifier::Verified;

/// A header names one signature for each secret that is in use; a list that goes on and on only
/// makes work.
const CODES_MAX: usize = 32;

/// Longer ids are none: they become ids of events.
pub(crate) const DELIVERY_BYTES_MAX: usize = 200;

const NO_TIME: &str = "has no time, or one that is no whole number";

/// A signature with what the configuration says of it.
pub(crate) struct Rule<'a> {
    pub(crate) signature: &'a Signature,
    pub(crate) header: Cow<'a, str>,
    pub(crate) prefix: Cow<'a, str>,
    pub(crate) encoding: Encoding,
    pub(crate) delivery: Cow<'a, [Place]>,
    pub(crate) tolerance: Millis,
}

impl<'a> Rule<'a> {
    /// The signature as its provider makes it.
    pub(crate) fn of(signature: &'a Signature, tolerance: Millis) -> Self {
        Self {
            signature,
            header: Cow::Borrowed(signature.header),
            prefix: Cow::Borrowed(signature.prefix),
            encoding: signature.encoding,
            delivery: Cow::Borrowed(signature.delivery),
            tolerance,
        }
    }

    /// Whether a request was signed with one of the secrets, unchanged and lately. What it costs
    /// does not depend on how near a wrong signature is, nor on which of the secrets fits.
    pub(crate) fn verify(
        &self,
        secrets: &[Secret],
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Verified, Refused> {
        let value = request.required(&self.header)?;
        let time = self.time(value, request)?;
        if let (Some(text), Some(Time { unit, .. })) = (time, self.signature.time) {
            self.is_recent(Some(text), unit, now)?;
        }
        let pieces = self.pieces(time, request)?;
        let codes = self.codes(value)?;
        let mut fits = Choice::from(0);
        for secret in secrets {
            let expected = hmac(self.signature.algorithm, secret.key(), &pieces);
            for code in &codes {
                fits |= expected.ct_eq(code);
            }
        }
        if !bool::from(fits) {
            return Err(Refused::Mismatch);
        }
        if let Some(Time { at: Moment::Body(field), unit }) = self.signature.time {
            self.is_recent(body::top_level(request.body, field).as_deref(), unit, now)?;
        }
        self.delivery(request)
    }

    /// The items of the header: it is a list, or one item.
    fn items<'v>(&self, value: &'v str) -> impl Iterator<Item = &'v str> + use<'v> {
        let separator = self.signature.separator;
        value.split(move |c| Some(c) == separator).map(move |item| match separator {
            Some(_) => item.trim_matches(' '),
            None => item,
        })
    }

    /// The time as it is written in the headers, if this scheme has it there.
    fn time<'v>(&self, value: &'v str, request: &Request<'v>) -> Result<Option<&'v str>, Refused> {
        match self.signature.time.map(|time| time.at) {
            Some(Moment::Header(header)) => request.required(header).map(Some),
            Some(Moment::Item(mark)) => {
                let mut times = self.items(value).filter_map(|item| item.strip_prefix(mark));
                let fault = || Refused::header(&self.header, NO_TIME);
                let time = times.next().ok_or_else(fault)?;
                // With two of them, one could be signed and the other one be looked at.
                match times.next() {
                    None => Ok(Some(time)),
                    Some(_) => Err(Refused::header(&self.header, "has more than one time")),
                }
            }
            Some(Moment::Body(_)) | None => Ok(None),
        }
    }

    fn is_recent(
        &self,
        time: Option<&str>,
        unit: moment::Unit,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let fault = || match self.signature.time.map(|time| time.at) {
            Some(Moment::Header(header)) => Refused::header(header, NO_TIME),
            Some(Moment::Body(_)) => Refused::body(NO_TIME),
            _ => Refused::header(&self.header, NO_TIME),
        };
        let sent = time.and_then(moment::read).ok_or_else(fault)?;
        moment::is_recent(sent, unit, now, self.tolerance)
    }

    /// What is signed, in pieces.
    fn pieces<'v>(
        &self,
        time: Option<&'v str>,
        request: &Request<'v>,
    ) -> Result<Vec<&'v [u8]>, Refused> {
        let piece = |piece: &Piece| match *piece {
            Piece::Text(text) => Ok(text.as_bytes()),
            Piece::Time => Ok(time.unwrap_or_default().as_bytes()),
            Piece::Body => Ok(request.body),
            Piece::Id(header) => {
                let id = request.required(header)?;
                let is_id = !id.is_empty() && !id.contains('.');
                let fault = || Refused::header(header, "must be a text without dots");
                is_id.then_some(id.as_bytes()).ok_or_else(fault)
            }
        };
        self.signature.signed.iter().map(piece).collect()
    }

    /// The codes in the header. Others may stand beside them in a list: of other versions of the
    /// scheme.
    fn codes(&self, value: &str) -> Result<Vec<Vec<u8>>, Refused> {
        let prefix = self.prefix.as_ref();
        let marked: Vec<&str> =
            self.items(value).filter_map(|item| item.strip_prefix(prefix)).collect();
        if marked.is_empty() {
            return Err(Refused::header(&self.header, "has no signature of the expected form"));
        }
        if marked.len() > CODES_MAX {
            return Err(Refused::header(&self.header, "has too many signatures"));
        }
        let codes: Vec<Vec<u8>> = marked.into_iter().filter_map(|text| self.decode(text)).collect();
        let fault = || Refused::header(&self.header, "has no signature of the expected length");
        if codes.is_empty() { Err(fault()) } else { Ok(codes) }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let code = match self.encoding {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        };
        code.filter(|code| code.len() == self.signature.algorithm.bytes())
    }

    fn delivery(&self, request: &Request<'_>) -> Result<Verified, Refused> {
        for place in self.delivery.iter() {
            let is_signed = match place {
                Place::Body(_) => true,
                Place::Header(name) => {
                    let is_it = |piece: &Piece| matches!(piece, Piece::Id(id) if *id == *name);
                    self.signature.signed.iter().any(is_it)
                }
            };
            if let Some(id) = delivery(place, request)? {
                return Ok(Verified { delivery: Some(id), delivery_is_signed: is_signed });
            }
        }
        Ok(Verified::default())
    }
}

/// The id of a delivery, if it is there: one word, as it becomes the id of an event.
pub(crate) fn delivery(place: &Place, request: &Request<'_>) -> Result<Option<String>, Refused> {
    let is_id = |id: &str| {
        (1..=DELIVERY_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
    };
    match place {
        // Who signed the body may have anything there.
        Place::Body(field) => Ok(body::top_level(request.body, field).filter(|id| is_id(id))),
        Place::Header(name) => match request.optional(name)? {
            Some(id) if is_id(id) => Ok(Some(id.to_owned())),
            Some(_) => Err(Refused::header(name, "is no id")),
            None => Ok(None),
        },
    }
}
