//! `evoke doctor`: what this machine offers, and what to install for what is missing.

use std::path::Path;

use evoke_cli::Finding;

use crate::app;
use crate::run::{Given, Wish};

/// Looks at the runtimes, the sandbox features and the store of the project here.
///
/// # Errors
/// The runtimes cannot be prepared.
pub async fn look() -> anyhow::Result<Vec<Finding>> {
    let root = Path::new(".");
    let wish = Wish { root: root.to_path_buf(), ..Wish::default() };
    let (config, mut findings) = match Given::read(wish) {
        Ok(given) => (given.config, Vec::new()),
        Err(error) => {
            let hint = "put evoke.toml right; the rest was looked at with the defaults";
            let broken = finding("project", "evoke.toml", Err((format!("{error:#}"), hint)));
            (evoke_project::ProjectConfig::default(), vec![broken])
        }
    };
    for runtime in app::runtimes(root, &config)? {
        for found in runtime.probe().await {
            let detail = [found.version.clone(), found.path.clone()];
            let detail: Vec<_> = detail.into_iter().flatten().collect();
            findings.push(Finding {
                area: "runtime".into(),
                name: found.name,
                ok: found.path.is_some(),
                detail: if detail.is_empty() { "not found".into() } else { detail.join(" at ") },
                hint: found.hint,
            });
        }
        runtime.close().await;
    }
    findings.extend(sandbox());
    findings.push(store(root, &config));
    Ok(findings)
}

fn finding(area: &str, name: &str, seen: Result<String, (String, &str)>) -> Finding {
    let (ok, detail, hint) = match seen {
        Ok(detail) => (true, detail, None),
        Err((detail, hint)) => (false, detail, Some(hint.to_owned())),
    };
    Finding { area: area.into(), name: name.into(), ok, detail, hint }
}

/// What the memory limits of workers can be made of.
fn sandbox() -> Vec<Finding> {
    let v1 = Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists();
    let v2 = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
        .is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "memory"));
    let seen = match (v1, v2) {
        (_, true) => Ok("version 2".to_owned()),
        (true, false) => Ok("version 1".to_owned()),
        (false, false) => Err((
            "no memory controller".to_owned(),
            "memory limits are kept by watching the workers instead, ten times a second",
        )),
    };
    vec![finding("sandbox", "cgroup memory", seen)]
}

fn store(root: &Path, config: &evoke_project::ProjectConfig) -> Finding {
    let url = &config.store.url;
    let seen = match url.strip_prefix("sqlite:") {
        Some(path) => {
            let path = app::within(root, path);
            match path.exists() {
                true => Ok(format!("{url}, {}", path.display())),
                false => Ok(format!("{url}, made at the first start")),
            }
        }
        None => Ok(url.clone()),
    };
    finding("store", "store", seen)
}
