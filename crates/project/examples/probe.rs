use std::collections::BTreeMap;
use std::path::Path;
#[tokio::main]
async fn main() {
    let root = Path::new("/tmp/scaf");
    for (n, r) in [("alpha", "nodejs22"), ("beta", "bun"), ("gamma", "python3.11")] {
        evoke_project::scaffold(root, n, r).unwrap();
    }
    for i in 0..100 {
        evoke_project::scaffold(root, &format!("n{i}"), "bun").unwrap();
    }
    let runtimes: Vec<_> = ["nodejs22", "bun", "python3.11"]
        .iter()
        .map(|n| evoke_project::RuntimeName {
            name: n.to_string(),
            handler_default: if n.starts_with("py") {
                "main.handler".into()
            } else {
                "index.handler".into()
            },
        })
        .collect();
    let sources = BTreeMap::new();
    let env = BTreeMap::new();
    let ctx = evoke_project::ReadContext {
        runtimes: &runtimes,
        sources: &sources,
        lookup: &|_| None,
        check_cel: &|_| Ok(()),
        environment: &env,
    };
    let t = std::time::Instant::now();
    let d = evoke_project::read(root, &ctx);
    eprintln!(
        "read {} functions in {:?} problems {:?} warnings {}",
        d.functions.len(),
        t.elapsed(),
        d.problems,
        d.warnings.len()
    );
    let t = std::time::Instant::now();
    let d2 = evoke_project::reread(root, &ctx, &d, &["n1".to_string()].into());
    eprintln!("reread {} in {:?}", d2.functions.len(), t.elapsed());
    let mut w = evoke_project::watch(root, "functions").unwrap();
    for _ in 0..5 {
        let t = std::time::Instant::now();
        std::fs::write(root.join("functions/n1/index.ts"), "export const handler = () => 2;")
            .unwrap();
        let c = w.next().await.unwrap();
        eprintln!("{c:?} after {:?}", t.elapsed());
    }
}
