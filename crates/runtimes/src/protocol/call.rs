//! EVENT and REQUEST: a call written as one frame. It is on the hot path, so the JSON is written
//! straight into the frame and payloads are copied, not parsed.

use std::sync::Arc;

use evoke_model::Event;
use evoke_model::event::write_str;
use evoke_ports::{Call, HttpCall, Input, User};

use super::frame::{Kind, begin, seal};

/// What context and envelope of a call take at most in the usual case.
const ENVELOPE_BYTES: usize = 768;

/// The frame of a call; its number is filled in when a worker takes it.
pub fn encode(call: &Call) -> Vec<u8> {
    let mut frame = match &call.input {
        Input::Event(event) => {
            let mut frame = begin(Kind::Event, ENVELOPE_BYTES + event.data.len());
            write_context(&mut frame, call);
            frame.extend_from_slice(b",\"event\":");
            event.write_json(&mut frame);
            frame.push(b'}');
            frame
        }
        Input::Batch(events) => batch(call, events),
        Input::Http(request) => {
            let mut head = Vec::with_capacity(2 * ENVELOPE_BYTES);
            write_context(&mut head, call);
            head.extend_from_slice(b",\"request\":");
            write_request(&mut head, request);
            head.push(b'}');
            let mut frame = begin(Kind::Request, 4 + head.len() + request.body.len());
            frame.extend_from_slice(&(head.len() as u32).to_le_bytes());
            frame.extend_from_slice(&head);
            frame.extend_from_slice(&request.body);
            frame
        }
    };
    seal(&mut frame);
    frame
}

fn batch(call: &Call, events: &[Arc<Event>]) -> Vec<u8> {
    let payload: usize = events.iter().map(|event| ENVELOPE_BYTES / 2 + event.data.len()).sum();
    let mut frame = begin(Kind::Event, ENVELOPE_BYTES + payload);
    write_context(&mut frame, call);
    frame.extend_from_slice(b",\"events\":[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            frame.push(b',');
        }
        event.write_json(&mut frame);
    }
    frame.extend_from_slice(b"]}");
    frame
}

/// Writes `{"context":{...}`; the caller closes the outer brace.
fn write_context(out: &mut Vec<u8>, call: &Call) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"{\"context\":{\"executionId\":\"");
    out.extend_from_slice(call.execution.to_string().as_bytes());
    out.extend_from_slice(b"\",\"attempt\":");
    out.extend_from_slice(number.format(call.attempt).as_bytes());
    out.extend_from_slice(b",\"deadlineMs\":");
    out.extend_from_slice(number.format(call.deadline.as_millis()).as_bytes());
    out.extend_from_slice(b",\"trigger\":{\"kind\":");
    write_str(out, &call.trigger_kind);
    out.extend_from_slice(b",\"name\":");
    write_str(out, &call.trigger_name);
    out.push(b'}');
    if let Some(traceparent) = &call.traceparent {
        out.extend_from_slice(b",\"traceparent\":");
        write_str(out, traceparent);
    }
    if let Some(request_id) = &call.request_id {
        out.extend_from_slice(b",\"requestId\":");
        write_str(out, request_id);
    }
    write_marks(out, &call.input);
    if let Input::Http(request) = &call.input
        && let Some(user) = &request.user
    {
        write_user(out, user);
    }
    out.extend_from_slice(b",\"token\":");
    write_str(out, &call.token);
    out.push(b'}');
}

/// What sets a call apart from an ordinary one. Several events have a mark only if all of them have
/// it: what is done for an event that is no repetition may not be left out.
fn write_marks(out: &mut Vec<u8>, input: &Input) {
    let events = match input {
        Input::Event(event) => std::slice::from_ref(event),
        Input::Batch(events) => &events[..],
        Input::Http(_) => return,
    };
    let all = |mark: fn(&Event) -> bool| !events.is_empty() && events.iter().all(|it| mark(it));
    if all(|event| event.is_test_run) {
        out.extend_from_slice(b",\"isTestRun\":true");
    }
    if all(|event| event.replay_of.is_some()) {
        out.extend_from_slice(b",\"isReplay\":true");
    }
    if matches!(input, Input::Batch(_)) {
        out.extend_from_slice(b",\"batch\":{\"size\":");
        out.extend_from_slice(itoa::Buffer::new().format(events.len()).as_bytes());
        out.push(b'}');
    }
}

fn write_user(out: &mut Vec<u8>, user: &User) {
    out.extend_from_slice(b",\"user\":{\"id\":");
    write_str(out, &user.id);
    out.extend_from_slice(b",\"email\":");
    match &user.email {
        Some(email) => write_str(out, email),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"email_verified\":");
    out.extend_from_slice(if user.email_verified { b"true" } else { b"false" });
    out.extend_from_slice(b",\"roles\":[");
    for (index, role) in user.roles.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(out, role);
    }
    out.extend_from_slice(b"],\"issuer\":");
    match &user.issuer {
        Some(issuer) => write_str(out, issuer),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

fn write_request(out: &mut Vec<u8>, request: &HttpCall) {
    out.extend_from_slice(b"{\"method\":");
    write_str(out, request.method.as_str());
    out.extend_from_slice(b",\"url\":");
    write_str(out, &[request.origin.as_str(), request.target.as_str()].concat());
    out.extend_from_slice(b",\"headers\":[");
    for (index, (name, value)) in request.headers.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        write_str(out, name.as_str());
        out.push(b',');
        write_latin1(out, value.as_bytes());
        out.push(b']');
    }
    out.extend_from_slice(b"],\"params\":{");
    for (index, (name, value)) in request.params.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(out, name);
        out.push(b':');
        write_str(out, value);
    }
    out.extend_from_slice(b"}}");
}

/// Header values are bytes. Beyond ASCII they are read as Latin-1, the way the Fetch standard reads
/// them: its `Headers` take no other characters.
fn write_latin1(out: &mut Vec<u8>, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) if text.is_ascii() => write_str(out, text),
        _ => write_str(out, &value.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}
