//! A trace as a graph for Graphviz: sites and targets as nodes, counts on the edges.

use std::fmt::Write as _;

use super::tally::Row;

/// The DOT text.
pub(crate) fn dot(rows: &[&Row]) -> String {
    let mut out = String::from(
        "digraph dispatch {\n  rankdir=LR;\n  node [fontname=\"monospace\", fontsize=10];\n  edge [fontname=\"monospace\", fontsize=9];\n",
    );
    let mut sites: Vec<(&str, String)> =
        rows.iter().map(|r| (&*r.site, format!("{}\n{}", r.function, r.short_site()))).collect();
    sites.sort();
    sites.dedup_by(|a, b| a.0 == b.0);
    let mut targets: Vec<&str> = rows.iter().map(|r| &*r.target).collect();
    targets.sort_unstable();
    targets.dedup();
    for (site, label) in &sites {
        let _infallible = writeln!(out, "  {} [shape=box, label={}];", quote(site), quote(label));
    }
    for target in targets {
        let _infallible =
            writeln!(out, "  {} [shape=ellipse, label={}];", quote(&node(target)), quote(target));
    }
    for r in rows {
        let method = [&*r.interface, &*r.method].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>();
        let label = format!("{}\n{}\n{}", method.join("."), r.concrete, r.count);
        let _infallible =
            writeln!(out, "  {} -> {} [label={}];", quote(&r.site), quote(&node(&r.target)), quote(&label));
    }
    out.push_str("}\n");
    out
}

/// Sites and targets never share a node's name.
fn node(target: &str) -> String {
    format!("-> {target}")
}

fn quote(s: &str) -> String {
    format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let row = Row {
            site: "/x/\"main\".go:3".into(),
            concrete: "struct { x \"tag\" }".into(),
            target: "main.f".into(),
            count: 7,
            ..Row::default()
        };
        let text = dot(&[&row]);
        assert!(
            text.contains(r#""/x/\"main\".go:3" -> "-> main.f" [label="\nstruct { x \"tag\" }\n7"];"#),
            "{text}"
        );
    }
}
