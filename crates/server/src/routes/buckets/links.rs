//! Links that need no key, and the files of public buckets.

use axum::Json as Out;
use axum::response::Response;
use evoke_api::storage::{File, SignBody, SignedLink};
use evoke_model::Code;
use evoke_storage::{BucketName, FileName, Link, LinkMethod};
use http::{HeaderMap, HeaderName, Method, Uri};
use utoipa::IntoParams;

use super::content::Asked;
use super::file::write;
use crate::context::{authority, text};
use crate::extract::{About, Json, Pair, Segment, Shared};
use crate::flow::Flow;
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;
use crate::service::Server;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Sign a link
///
/// Who has it may read the file, or write it, until it is over, without a key.
#[utoipa::path(
    post, path = "/buckets/{bucket}/sign", tag = "storage",
    operation_id = "sign_link",
    params(("bucket" = String, Path)), request_body = SignBody,
    responses((status = 200, description = "The link", body = SignedLink)),
)]
pub(crate) async fn sign(
    Shared(server): Shared,
    Segment(bucket): Segment,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Out<SignedLink>, Refusal> {
    let (name, method, life) = SignBody::read(body).map_err(Refusal::invalid)?;
    let link = server.options.services.storage()?.sign(method, &bucket, &name, life)?;
    Ok(Out(SignedLink::new(&link, &base(&server, &uri, &headers))))
}

/// Where links lead: to the address that is known from outside, or else to the one the caller of
/// this used. Where a proxy in front is believed who calls, it is believed how as well.
fn base(server: &Server, uri: &Uri, headers: &HeaderMap) -> String {
    if let Some(url) = &server.options.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let told = server.options.client_address.as_ref().and_then(|_| text(headers, &FORWARDED_PROTO));
    let told = told.and_then(|told| told.rsplit(',').next());
    let is_https = told.is_some_and(|told| told.trim().eq_ignore_ascii_case("https"));
    let scheme = if is_https { "https" } else { "http" };
    format!("{scheme}://{}", authority(uri, headers).unwrap_or(&server.address))
}

/// What a link carries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Signed {
    /// The second in which it is over.
    expires: Option<i64>,
    /// What it allows: `GET` or `PUT`.
    method: Option<String>,
    /// The proof that it was made here.
    signature: Option<String>,
    /// Send the file to be stored and not shown.
    download: Option<String>,
}

impl FromQuery for Signed {
    fn read(query: &mut Query) -> Self {
        Self {
            expires: query.parsed("expires", "a number of seconds"),
            method: query.text("method"),
            signature: query.text("signature"),
            download: query.texts("download").pop(),
        }
    }
}

impl Signed {
    /// Lets a caller in that shows a link for `wanted`.
    fn admit(
        &self,
        server: &Server,
        (bucket, name): (&str, &str),
        wanted: LinkMethod,
    ) -> Result<(), Refusal> {
        let storage = server.options.services.storage()?;
        let (Some(expires), Some(method), Some(signature)) =
            (self.expires, &self.method, &self.signature)
        else {
            if wanted == LinkMethod::Get && storage.is_public(bucket) {
                return Ok(());
            }
            let message = "the link has no expires, method and signature";
            return Err(Refusal::new(Code::LinkInvalid, message));
        };
        if LinkMethod::parse(method) != Some(wanted) {
            let message = format!("the link is not for {}", wanted.as_str());
            return Err(Refusal::new(Code::LinkInvalid, message));
        }
        let bucket = BucketName::parse(bucket)?;
        let name = FileName::parse(name)?;
        let signature = signature.clone();
        storage.verify(&Link { method: wanted, bucket, name, expires, signature })?;
        Ok(())
    }
}

/// Download a file by a link
///
/// Whole or one range of it. Also with HEAD. Of a public bucket without a signature.
#[utoipa::path(
    get, path = "/storage/{bucket}/{*name}", tag = "storage",
    operation_id = "get_linked_file",
    params(("bucket" = String, Path), ("name" = String, Path), Signed),
    responses(
        (status = 200, description = "The bytes", content_type = "*/*"),
        (status = 206, description = "A range of them", content_type = "*/*"),
    ),
)]
pub(crate) async fn get(
    Shared(server): Shared,
    Pair(bucket, name): Pair,
    Params(signed): Params<Signed>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    signed.admit(&server, (&bucket, &name), LinkMethod::Get)?;
    let (method, headers) = (&method, &headers);
    let asked = Asked { bucket: &bucket, name: &name, method, headers, download: signed.download };
    asked.answer(server.options.services.storage()?).await
}

/// Upload a file by a link
#[utoipa::path(
    put, path = "/storage/{bucket}/{*name}", tag = "storage",
    operation_id = "put_linked_file",
    params(("bucket" = String, Path), ("name" = String, Path), Signed),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The file, in place of another", body = File),
        (status = 201, description = "The file, which is new", body = File),
    ),
)]
pub(crate) async fn put(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, name): Pair,
    Params(signed): Params<Signed>,
    headers: HeaderMap,
    flow: Flow,
) -> Result<Response, Refusal> {
    signed.admit(&server, (&bucket, &name), LinkMethod::Put)?;
    write(&server, &context, (bucket, name), (&headers, flow)).await
}
