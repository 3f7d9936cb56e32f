//! What an expression is made of, looked at once when it is compiled: names that do not exist and
//! forms that could cost too much are refused here, not with the first event.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr};
use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;

use crate::expression::problem;

/// Brackets within brackets.
pub(crate) const NESTING_MAX: u16 = 24;

/// Operators and selections in the text. The parser recurses over some chains of them, so this
/// bounds its stack.
const OPERATORS_MAX: usize = 200;

/// Operations that wait for one another, as in `a + b + c + ...`. The interpreter recurses over
/// them and needs 40 KB of stack for each in a debug build, of the 2 MB that a worker thread has.
const DEPTH_MAX: u32 = 24;

/// `all`, `exists`, `map` and `filter` in one expression.
const LOOPS_MAX: usize = 4;

/// The functions of the standard environment.
const FUNCTIONS: &[&str] = &[
    "all",
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "hasValue",
    "int",
    "map",
    "matches",
    "none",
    "of",
    "ofNonZeroValue",
    "or",
    "orValue",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
    "value",
];

/// The types of the standard environment, which may stand where a value stands.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "optional",
    "optional_type",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Counts what the parser recurses over before it sees it. What stands in texts counts as well:
/// that only makes the check stricter.
pub(crate) fn check_text(text: &str) -> Result<(), Problem> {
    let operators = text.bytes().filter(|byte| b"+-*/%<>=&|?!.([{".contains(byte)).count();
    if operators + text.matches(" in ").count() > OPERATORS_MAX {
        return Err(too_complex());
    }
    Ok(())
}

fn too_complex() -> Problem {
    problem("the expression is too complex")
        .suggest("split it into several triggers, or do it in the function")
}

/// Where in the tree a node stands.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: u32,
    loops: u32,
}

impl Place {
    const fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    const fn in_loop(self) -> Self {
        Self { loops: self.loops + 1, ..self }
    }
}

/// What an expression is made of.
#[derive(Default)]
pub(crate) struct Shape<'a> {
    /// How many loops stand within one another.
    pub(crate) loop_depth: u32,
    loops: usize,
    locals: Vec<&'a str>,
    names: Vec<&'a str>,
}

impl<'a> Shape<'a> {
    pub(crate) fn of(root: &'a IdedExpr) -> Result<Self, Problem> {
        let mut shape = Self::default();
        // Without recursion, since the depth is what is to be found out.
        let mut open = vec![(root, Place::default())];
        while let Some((node, place)) = open.pop() {
            if place.depth > DEPTH_MAX {
                return Err(too_complex());
            }
            shape.loop_depth = shape.loop_depth.max(place.loops);
            shape.visit(node, place.below(), &mut open)?;
        }
        if shape.loops > LOOPS_MAX {
            return Err(problem(format!("an expression may loop {LOOPS_MAX} times at most")));
        }
        shape.check_names()?;
        Ok(shape)
    }

    fn visit(
        &mut self,
        node: &'a IdedExpr,
        at: Place,
        open: &mut Vec<(&'a IdedExpr, Place)>,
    ) -> Result<(), Problem> {
        match &node.expr {
            Expr::Call(call) => {
                check_call(call)?;
                open.extend(call.target.iter().map(|target| (&**target, at)));
                open.extend(call.args.iter().map(|arg| (arg, at)));
            }
            Expr::Comprehension(inner) => {
                self.loops += 1;
                self.locals.extend([inner.iter_var.as_str(), inner.accu_var.as_str()]);
                self.locals.extend(inner.iter_var2.as_deref());
                open.push((&inner.iter_range, at));
                let body = [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result];
                open.extend(body.map(|part| (part, at.in_loop())));
            }
            Expr::List(list) => open.extend(list.elements.iter().map(|item| (item, at))),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        open.extend([(&entry.key, at), (&entry.value, at)]);
                    }
                }
            }
            Expr::Select(select) => open.push((&select.operand, at)),
            Expr::Ident(name) => self.names.push(name),
            Expr::Struct(_) => return Err(problem("messages are not supported")),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
        Ok(())
    }

    /// Only `event` is given. Names with an `@` are not written by anybody: the tree was changed.
    fn check_names(&self) -> Result<(), Problem> {
        for name in &self.names {
            let given = *name == "event" || name.starts_with('@');
            let known = given || TYPES.contains(name) || self.locals.contains(name);
            if !known {
                return Err(problem(format!("unknown name \"{name}\""))
                    .suggest(format!("event.{name} or event.data.{name}?")));
            }
        }
        Ok(())
    }
}

fn check_call(call: &CallExpr) -> Result<(), Problem> {
    let name = call.func_name.as_str();
    let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_operator && !FUNCTIONS.contains(&name) {
        return Err(problem(format!("unknown function \"{name}\""))
            .suggest(did_you_mean(name, FUNCTIONS.iter().copied())));
    }
    Ok(())
}
