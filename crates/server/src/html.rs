//! The pages: plain HTML, made here, without scripts and without anything from elsewhere.

use std::fmt::Write;

use evoke_model::Code;
use serde_json::Value;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8882}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
h3{margin:1.5rem 0 .25rem;font-size:1rem;scroll-margin-top:1rem}\
code,pre{font:14px/1.45 ui-monospace,monospace;background:var(--soft);border-radius:4px;padding:0 .3em}\
pre{padding:.7em;overflow-x:auto}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}\
.m{display:inline-block;min-width:4.2em;font-weight:600}nav a{display:block}details{margin:.4rem 0}";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Text as HTML, with what stands in backticks as code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            out.push_str("<code>");
            out.push_str(&escaped(part));
            out.push_str("</code>");
        } else {
            out.push_str(&escaped(part));
        }
    }
    out
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
}

/// A page that asks something, or says what came of it.
pub(crate) fn form(title: &str, body: &str) -> String {
    page(title, &format!("<h1>{title}</h1>{body}"))
}

/// Appends to a text, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        if write!($out, $($arg)*).is_err() {
            tracing::error!("A page could not be written");
        }
    };
}

/// The page of an error code.
pub(crate) fn error(code: Code, markdown: Option<&str>) -> String {
    let title = escaped(code.title());
    let mut body = format!("<h1>{code}: {title}</h1><p>HTTP status {}</p>", code.status());
    for block in markdown.unwrap_or_default().split("\n\n") {
        let block = block.trim();
        if block.is_empty() || block.starts_with("# ") {
            continue;
        }
        if let Some(heading) = block.strip_prefix("## ") {
            put!(body, "<h2>{}</h2>", prose(heading));
        } else if block.starts_with("```") {
            let code: Vec<&str> = block.lines().filter(|line| !line.starts_with("```")).collect();
            put!(body, "<pre>{}</pre>", escaped(&code.join("\n")));
        } else if block.starts_with("- ") {
            let items = block.split("\n- ").map(|item| prose(item.trim_start_matches("- ")));
            let items: Vec<String> = items.map(|item| format!("<li>{item}</li>")).collect();
            put!(body, "<ul>{}</ul>", items.concat());
        } else {
            put!(body, "<p>{}</p>", prose(block));
        }
    }
    put!(body, "<p><a href=\"/docs\">The API</a></p>");
    page(code.as_str(), &body)
}

/// The reference of the API, made from its OpenAPI document.
pub(crate) fn reference(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let info = &document["info"];
    let mut body = format!("<h1>{} {}</h1>", text(&info["title"]), text(&info["version"]));
    put!(body, "<p>{}</p>", prose(&text(&info["description"])));
    put!(body, "<p><a href=\"/openapi.json\">OpenAPI document</a></p>");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        put!(body, "<h2>{}</h2><p>{}</p>", escaped(&name), prose(&text(&tag["description"])));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let operation = &item[method];
                if operation["tags"][0] == name.as_str() {
                    body.push_str(&of_operation(method, path, operation));
                }
            }
        }
    }
    body.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        body.push_str(&of_schema(name, schema));
    }
    body.push_str("<h2>Errors</h2><table>");
    for code in Code::ALL {
        put!(
            body,
            "<tr><td><a href=\"/docs/errors/{code}\">{code}</a></td><td>{}</td><td>{}</td></tr>",
            code.status(),
            escaped(code.title())
        );
    }
    body.push_str("</table>");
    page("Evoke API", &body)
}

fn of_operation(method: &str, path: &str, operation: &Value) -> String {
    let mut out = format!(
        "<h3 id=\"{}\"><span class=\"m\">{}</span> <code>{}</code> {}</h3>",
        escaped(operation["operationId"].as_str().unwrap_or_default()),
        method.to_uppercase(),
        escaped(path),
        prose(operation["summary"].as_str().unwrap_or_default()),
    );
    if let Some(description) = operation["description"].as_str() {
        put!(out, "<p>{}</p>", prose(description));
    }
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        out.push_str("<details><summary>Parameters</summary><table>");
        for parameter in parameters {
            put!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(parameter["name"].as_str().unwrap_or_default()),
                escaped(parameter["in"].as_str().unwrap_or_default()),
                type_of(&parameter["schema"]),
                prose(parameter["description"].as_str().unwrap_or_default()),
            );
        }
        out.push_str("</table></details>");
    }
    for (media, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        put!(out, "<p>Takes <code>{}</code>: {}</p>", escaped(media), type_of(&content["schema"]));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status == "default" {
            continue;
        }
        let what = response["description"].as_str().unwrap_or_default();
        put!(out, "<p>Answers <code>{}</code> {}", escaped(status), prose(what));
        for (media, content) in response["content"].as_object().into_iter().flatten() {
            put!(out, " · <code>{}</code>: {}", escaped(media), type_of(&content["schema"]));
        }
        out.push_str("</p>");
    }
    out
}

fn of_schema(name: &str, schema: &Value) -> String {
    let name = escaped(name);
    let mut out = format!("<h3 id=\"schema-{name}\"><code>{name}</code></h3>");
    if let Some(description) = schema["description"].as_str() {
        put!(out, "<p>{}</p>", prose(description));
    }
    let Some(properties) = schema["properties"].as_object() else {
        put!(out, "<p>{}</p>", type_of(schema));
        return out;
    };
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    out.push_str("<table>");
    for (field, schema) in properties {
        let mark = if required.iter().any(|known| known == field) { "" } else { "?" };
        put!(
            out,
            "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td></tr>",
            escaped(field),
            type_of(schema),
            prose(schema["description"].as_str().unwrap_or_default()),
        );
    }
    out.push_str("</table>");
    out
}

/// The type a schema describes, in a few words, with links to named schemas.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[word].as_array() {
            let options: Vec<String> = options.iter().map(type_of).collect();
            return options.join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| escaped(&word.to_string())).collect();
        return words.join(", ");
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    };
    match (kind.as_str(), schema["format"].as_str()) {
        ("array", _) => format!("array of {}", type_of(&schema["items"])),
        (_, Some(format)) => format!("{} ({})", escaped(&kind), escaped(format)),
        _ => escaped(&kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_cannot_become_markup() {
        assert_eq!(prose("a `b<c>` & \"d\""), "a <code>b&lt;c&gt;</code> &amp; &quot;d&quot;");
    }

    #[test]
    fn the_reference_names_every_route_and_loads_nothing() {
        let document = crate::openapi::document();
        let html = reference(&document);
        for path in document["paths"].as_object().expect("paths").keys() {
            assert!(html.contains(&escaped(path)), "{path}");
        }
        assert!(
            !html.contains("<script") && !html.contains("http://") && !html.contains("https://")
        );
    }

    #[test]
    fn a_page_of_a_code_shows_its_markdown() {
        let html = error(Code::InvalidEvent, Some("# EV_001\n\nBad `event`.\n\n- one\n- two"));
        assert!(html.contains("<p>Bad <code>event</code>.</p><ul><li>one</li><li>two</li></ul>"));
    }
}
