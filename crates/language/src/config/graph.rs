//! The order in which values that refer to each other are evaluated.
//! Pure. No recursion, so that long chains of references are safe.

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::codes;
use std::collections::BTreeMap;

/// One use of another node and its place.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) to: String,
    pub(super) span: Span,
}

/// Nodes by name with what they use.
pub(super) type Graph = BTreeMap<String, Vec<Edge>>;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done,
}

/// Orders the nodes so that each comes after those it uses; reports each circle once and leaves
/// out the nodes that close one.
pub(super) fn order(graph: &Graph, out: &mut Diagnostics) -> Vec<String> {
    let mut states: BTreeMap<&str, State> = BTreeMap::new();
    let mut done = Vec::new();
    for root in graph.keys() {
        if states.contains_key(root.as_str()) {
            continue;
        }
        // The way from the root: each node and how many of its uses have been followed.
        let mut way: Vec<(&str, usize)> = vec![(root, 0)];
        states.insert(root, State::Open);
        while let Some((node, followed)) = way.last_mut() {
            let node = *node;
            let edges = graph.get(node).map_or(&[][..], Vec::as_slice);
            let Some(edge) = edges.get(*followed) else {
                states.insert(node, State::Done);
                done.push(node.to_owned());
                way.pop();
                continue;
            };
            *followed += 1;
            let Some((to, _)) = graph.get_key_value(&edge.to) else {
                continue;
            };
            match states.get(to.as_str()) {
                Some(State::Done) => {}
                None => {
                    states.insert(to, State::Open);
                    way.push((to, 0));
                }
                Some(State::Open) => out.push(circle(graph, &way, to)),
            }
        }
    }
    done
}

/// Shows the circle that closes at `to`.
fn circle(graph: &Graph, way: &[(&str, usize)], to: &str) -> Diagnostic {
    let start = way.iter().position(|(node, _)| *node == to).unwrap_or(0);
    let around = &way[start..];
    let mut shown: Vec<&str> = around.iter().map(|(node, _)| *node).collect();
    shown.push(to);
    let mut found = Diagnostic::error(codes::REFERENCE_CYCLE);
    for (at, (node, followed)) in around.iter().enumerate().take(8) {
        let used = graph
            .get(*node)
            .and_then(|edges| edges.get(followed.saturating_sub(1)));
        if let Some(edge) = used {
            let message = format!("`{node}` uses `{}`", edge.to);
            found = if at == 0 {
                found.at(edge.span, message)
            } else {
                found.context(edge.span, message)
            };
        }
    }
    let left_out = shown.len().saturating_sub(9);
    let more = format!("… {left_out} more …");
    if left_out > 0 {
        shown.splice(8..8 + left_out, [more.as_str()]);
    }
    found.help(format!("the circle is {}", shown.join(" → ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let span = Span::new(FileId::default(), 0, 0);
        let edge = |to: &&str| Edge {
            to: (*to).to_owned(),
            span,
        };
        edges
            .iter()
            .map(|(n, to)| ((*n).to_owned(), to.iter().map(edge).collect()))
            .collect()
    }

    #[test]
    fn uses_come_first() {
        let mut out = Diagnostics::new();
        let order = order(
            &graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["zz"])]),
            &mut out,
        );
        assert_eq!(order, ["c", "b", "a"]);
        assert!(out.is_empty());
    }

    #[test]
    fn circles_are_shown() {
        let mut out = Diagnostics::new();
        order(
            &graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["d"])]),
            &mut out,
        );
        let help: Vec<_> = out
            .iter()
            .flat_map(|d| d.ways_out().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert_eq!(help, ["the circle is b → c → b", "the circle is d → d"]);
    }

    #[test]
    fn a_long_circle_says_how_much_of_it_is_not_shown() {
        for (length, shown) in [
            (8, None),
            (9, Some("h → … 1 more … → a")),
            (12, Some("… 4 more …")),
        ] {
            let names: Vec<String> = (0..length)
                .map(|n| char::from(b'a' + n).to_string())
                .collect();
            let around = names.iter().zip(names.iter().cycle().skip(1));
            let span = Span::new(FileId::default(), 0, 0);
            let edge = |to: &String| {
                vec![Edge {
                    to: to.clone(),
                    span,
                }]
            };
            let graph: Graph = around.map(|(name, to)| (name.clone(), edge(to))).collect();
            let mut out = Diagnostics::new();
            order(&graph, &mut out);
            let help: Vec<_> = out.iter().flat_map(Diagnostic::ways_out).collect();
            let whole = format!("the circle is {} → a", names.join(" → "));
            match shown {
                Some(shown) => assert!(help[0].contains(shown), "{help:?}"),
                None => assert_eq!(help, [whole]),
            }
        }
    }

    #[test]
    fn long_chains_do_not_overflow() {
        let mut chain = Graph::new();
        let span = Span::new(FileId::default(), 0, 0);
        for n in 0..100_000 {
            chain.insert(
                format!("{n:06}"),
                vec![Edge {
                    to: format!("{:06}", n + 1),
                    span,
                }],
            );
        }
        assert_eq!(order(&chain, &mut Diagnostics::new()).len(), 100_000);
    }
}
