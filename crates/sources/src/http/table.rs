//! Which route a request belongs to. Literal segments go before parameters, parameters before the
//! rest of a path; a route that has the method goes before one that has not.

use std::sync::Arc;

use ahash::AHashMap;
use evoke_model::{Trigger, TriggerId};
use evoke_ports::Claim;
use http::Method;

use super::access::Access;
use super::config::{self, METHODS};
use super::path::{Segment, decode, is_of_webhooks};

/// Segments of a request that are looked at; no route has as many.
const SEGMENTS_MAX: usize = 256;

/// Two triggers want the same requests; the first has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Gets the requests: the older one.
    pub winner: TriggerId,
    /// Does not.
    pub loser: TriggerId,
    /// The methods both name.
    pub methods: Vec<Method>,
}

/// All routes.
#[derive(Debug, Default)]
pub(super) struct Table {
    root: Node,
    /// Those that ask who calls.
    guarded: AHashMap<TriggerId, Access>,
}

#[derive(Debug, Default)]
struct Node {
    literals: AHashMap<Box<str>, Node>,
    param: Option<Box<Node>>,
    rest: Vec<Leaf>,
    leaves: Vec<Leaf>,
}

/// A route with this shape.
#[derive(Debug)]
struct Leaf {
    trigger: TriggerId,
    methods: Option<Vec<Method>>,
    names: Arc<[Box<str>]>,
}

impl Leaf {
    fn takes(&self, method: &Method) -> bool {
        let Some(methods) = &self.methods else { return true };
        methods.contains(method) || (*method == Method::HEAD && methods.contains(&Method::GET))
    }

    fn allowed(&self) -> Vec<Method> {
        let all = || METHODS.iter().filter_map(|method| method.parse().ok()).collect();
        let mut methods: Vec<Method> = self.methods.clone().unwrap_or_else(all);
        if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
            methods.push(Method::HEAD);
        }
        methods
    }
}

impl Table {
    /// The table of these triggers and what they both want. Triggers whose configuration is not
    /// understood (stored by another release) are left out.
    pub(super) fn build(triggers: &[Arc<Trigger>]) -> (Self, Vec<Conflict>) {
        let mut table = Self::default();
        let mut conflicts = Vec::new();
        let mut by_age: Vec<&Arc<Trigger>> = triggers.iter().collect();
        by_age.sort_by_key(|trigger| trigger.id);
        for trigger in by_age {
            let Some(route) = config::route(&trigger.config) else { continue };
            let segments = &route.path.segments;
            let names = segments.iter().filter_map(Segment::name).map(Box::from).collect();
            if let Some(access) = route.access {
                table.guarded.insert(trigger.id, access);
            }
            let leaf = Leaf { trigger: trigger.id, methods: route.methods, names };
            let same_shape = table.root.leaves_at(segments);
            conflicts.extend(same_shape.iter().filter_map(|older| older.conflict(&leaf)));
            same_shape.push(leaf);
        }
        (table, conflicts)
    }

    /// Who may call a route, where it asks.
    pub(super) fn access(&self, trigger: TriggerId) -> Option<&Access> {
        self.guarded.get(&trigger)
    }

    pub(super) fn claim(&self, method: &Method, path: &str) -> Claim {
        if is_of_webhooks(path) {
            return Claim::None;
        }
        let Some(path) = path.strip_prefix('/') else { return Claim::None };
        let segments: Vec<&str> = path.split('/').take(SEGMENTS_MAX).collect();
        let mut search =
            Search { method, segments: &segments, values: Vec::new(), allow: Vec::new() };
        match search.walk(&self.root, 0) {
            Some(claim) => claim,
            None if search.allow.is_empty() => Claim::None,
            None => Claim::MethodNotAllowed { allow: search.allow },
        }
    }
}

impl Leaf {
    fn conflict(&self, younger: &Self) -> Option<Conflict> {
        let mut methods = younger.allowed();
        methods.retain(|method| self.takes(method));
        (!methods.is_empty()).then_some(Conflict {
            winner: self.trigger,
            loser: younger.trigger,
            methods,
        })
    }
}

impl Node {
    fn leaves_at(&mut self, segments: &[Segment]) -> &mut Vec<Leaf> {
        match segments.split_first() {
            None => &mut self.leaves,
            Some((Segment::Literal(text), rest)) => {
                self.literals.entry(text.clone()).or_default().leaves_at(rest)
            }
            Some((Segment::Param(_), rest)) => self.param.get_or_insert_default().leaves_at(rest),
            Some((Segment::Rest(_), _)) => &mut self.rest,
        }
    }
}

struct Search<'a> {
    method: &'a Method,
    segments: &'a [&'a str],
    /// Segments taken by parameters so far.
    values: Vec<&'a str>,
    /// The methods of routes that fit but for their method.
    allow: Vec<Method>,
}

impl Search<'_> {
    fn walk(&mut self, node: &Node, at: usize) -> Option<Claim> {
        let Some(segment) = self.segments.get(at).copied() else {
            return self.pick(&node.leaves, None);
        };
        if let Some(next) = node.literals.get(&*decode(segment))
            && let Some(claim) = self.walk(next, at + 1)
        {
            return Some(claim);
        }
        // A parameter is something: `/users/` is not `/users/{id}`.
        if let Some(next) = node.param.as_ref().filter(|_| !segment.is_empty()) {
            self.values.push(segment);
            if let Some(claim) = self.walk(next, at + 1) {
                return Some(claim);
            }
            self.values.pop();
        }
        self.pick(&node.rest, Some(at))
    }

    fn pick(&mut self, leaves: &[Leaf], rest_from: Option<usize>) -> Option<Claim> {
        if let Some(leaf) = leaves.iter().find(|leaf| leaf.takes(self.method)) {
            return Some(Claim::Trigger { id: leaf.trigger, params: self.params(leaf, rest_from) });
        }
        for method in leaves.iter().flat_map(Leaf::allowed) {
            if !self.allow.contains(&method) {
                self.allow.push(method);
            }
        }
        None
    }

    fn params(&self, leaf: &Leaf, rest_from: Option<usize>) -> Vec<(String, String)> {
        let mut values: Vec<String> =
            self.values.iter().map(|value| decode(value).into_owned()).collect();
        values.extend(rest_from.map(|from| {
            let parts: Vec<_> = self.segments[from..].iter().map(|part| decode(part)).collect();
            parts.join("/")
        }));
        leaf.names.iter().map(|name| name.to_string()).zip(values).collect()
    }
}

/// Which of these triggers want the same requests: told when triggers are made, since the table
/// itself just takes the older one.
pub fn conflicts(triggers: &[Arc<Trigger>]) -> Vec<Conflict> {
    Table::build(triggers).1
}
