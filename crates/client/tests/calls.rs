//! The client against a server that answers what it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use evoke_client::{Calling, Class, Client, Error};
use serde_json::{Value, json};
use std::collections::HashMap;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_list_is_read_over_its_pages() {
    async fn executions(Query(query): Query<HashMap<String, String>>) -> Json<Value> {
        assert_eq!(query["status"], "failed");
        let limit: u64 = query["limit"].parse().unwrap();
        let from: u64 = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
        // A page may be shorter than asked for.
        let items: Vec<Value> = (from..from + limit.min(3)).map(|id| json!({ "id": id })).collect();
        let next = from + items.len() as u64;
        Json(json!({ "data": items, "next_cursor": (next < 10).then(|| next.to_string()) }))
    }
    let url = serve(Router::new().route("/api/executions", get(executions))).await;
    let client = Client::new(&url, None).unwrap();
    let query = [("status", "failed".to_owned())];
    let page = client.executions(&query, 7).await.unwrap();
    assert_eq!(page.items.len(), 7);
    assert!(page.next.is_some());
    let all = client.executions(&query, 100).await.unwrap();
    assert!(all.next.is_none());
    assert!(all.items.len() >= 10);
}

#[tokio::test]
async fn names_are_escaped_and_the_key_is_sent() {
    async fn echo(headers: HeaderMap, uri: Uri) -> Json<Value> {
        Json(json!({
            "path": uri.path(),
            "key": headers["authorization"].to_str().unwrap(),
            "prefer": headers.get("prefer").map(|value| value.to_str().unwrap()),
        }))
    }
    let url = serve(Router::new().fallback(echo)).await;
    let client = Client::new(&url, Some("evk_secret")).unwrap();
    let answer = client.function("a/b ?c").await.unwrap();
    assert_eq!(answer["path"], "/api/functions/a%2Fb%20%3Fc");
    assert_eq!(answer["key"], "Bearer evk_secret");
    let invoked = client.invoke("f", &json!(1), Calling::Later).await.unwrap();
    let body: Value = serde_json::from_slice(&invoked.body).unwrap();
    assert_eq!(body["prefer"], "respond-async");
    assert!(!format!("{client:?}").contains("evk_secret"));
}

#[tokio::test]
async fn a_refusal_carries_its_problems() {
    let router = Router::new().route(
        "/api/events",
        post(|| async {
            let error = json!({"error": {
                "code": "EV_001", "message": "type: may not be empty",
                "problems": [{"field": "type", "message": "may not be empty"}],
                "request_id": "r-1", "docs": "/docs/errors/EV_001",
            }});
            (StatusCode::BAD_REQUEST, Json(error))
        }),
    );
    let client = Client::new(&serve(router).await, None).unwrap();
    let Err(Error::Refused(refusal)) = client.send(&json!({})).await else { panic!("accepted") };
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "EV_001"));
    assert_eq!(refusal.problems[0].field, "type");
    assert_eq!(Error::Refused(refusal).class(), Class::Mistake);
}

#[tokio::test]
async fn who_is_not_there_and_who_is_not_evoke() {
    let client = Client::new("http://127.0.0.1:1", None).unwrap();
    assert_eq!(client.functions().await.unwrap_err().class(), Class::Unreachable);
    for url in ["", "localhost", "ftp://x", "http://"] {
        assert_eq!(Client::new(url, None).unwrap_err().class(), Class::Mistake, "{url}");
    }
    assert!(Client::new("http://x", Some("a\nb")).is_err());
    let url = serve(Router::new().fallback(|| async { "<html>" })).await;
    let client = Client::new(&url, None).unwrap();
    assert_eq!(client.functions().await.unwrap_err().class(), Class::Server);
    assert_eq!(client.follow_events(&[]).next().await.unwrap_err().class(), Class::Server);
}

#[tokio::test]
async fn a_stream_that_breaks_is_taken_up_again_where_it_was() {
    let connections = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route(
        "/api/events",
        get(move |headers: HeaderMap| {
            let number = connections.fetch_add(1, Ordering::Relaxed);
            async move {
                let last = headers.get("last-event-id").map(|value| value.to_str().unwrap());
                assert_eq!(last, [None, Some("7")][number.min(1)]);
                let body = format!("id: 7\ndata: {{\"n\":{number}}}\n\ndata: half a mess");
                ([("content-type", "text/event-stream")], body).into_response()
            }
        }),
    );
    let client = Client::new(&serve(router).await, None).unwrap();
    let mut follow = client.follow_events(&[("type", "a.*".to_owned())]);
    for number in 0..2 {
        assert_eq!(follow.next().await.unwrap().data, format!("{{\"n\":{number}}}"));
    }
}
