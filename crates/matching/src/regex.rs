//! `matches` with its pattern compiled once. CEL compiles it anew for each evaluation, which takes
//! 10 µs for a small pattern and 50 ms for a hostile one; so the literal pattern of each call is
//! replaced by a variable that holds the compiled one.

use std::any::Any;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};
use cel::common::types::{CelBool, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, IdedExpr};
use evoke_model::Problem;
use regex::{Regex, RegexBuilder};

use crate::expression::problem;

/// A pattern may not be longer: a filter names a form, it does not list cases.
const LEN_MAX: usize = 256;

/// Bytes a compiled pattern may take. `^\w+$` takes 50 KB, `^\w{100}$` some MB.
const SIZE_MAX: usize = 1 << 20;

/// No expression can name such a variable itself.
const PREFIX: &str = "@regex";

static REGEX_TYPE: Type = Type::new_unspecified_type("regex");

/// A compiled pattern as a value.
#[derive(Clone, Debug)]
pub(crate) struct RegexValue(Regex);

impl Val for RegexValue {
    fn get_type(&self) -> &Type {
        &REGEX_TYPE
    }

    fn cel_type() -> &'static Type {
        &REGEX_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for RegexValue {}

/// Adds `matches` over compiled patterns.
pub(crate) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let types = || vec![STRING_TYPE.to_owned(), REGEX_TYPE.to_owned()];
    env.add_overload("matches", "evoke_matches", types(), matches)?;
    env.add_member_overload(
        "matches",
        "evoke_string_matches",
        STRING_TYPE.to_owned(),
        vec![REGEX_TYPE.to_owned()],
        matches,
    )
}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, regex] = arguments.as_slice() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    match (text.downcast_ref::<CelString>(), regex.downcast_ref::<RegexValue>()) {
        (Some(text), Some(regex)) => {
            Ok(CowVal::owned(CelBool::from(regex.0.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}

/// The pattern a variable stands for.
pub(crate) fn lookup<'r>(regexes: &'r [RegexValue], variable: &str) -> Option<&'r RegexValue> {
    regexes.get(variable.strip_prefix(PREFIX)?.parse::<usize>().ok()?)
}

/// Compiles the patterns of all calls of `matches` and puts variables in their place.
pub(crate) fn extract(root: &mut IdedExpr) -> Result<Vec<RegexValue>, Problem> {
    let mut regexes = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match &mut node.expr {
            Expr::Call(call) => {
                if call.func_name == "matches" {
                    let pattern = pattern_of(call)?;
                    let regex = compile(&pattern.expr)?;
                    pattern.expr = Expr::Ident(format!("{PREFIX}{}", regexes.len()));
                    regexes.push(regex);
                }
                open.extend(call.target.as_deref_mut());
                open.extend(&mut call.args);
            }
            Expr::Comprehension(inner) => open.extend([
                &mut inner.iter_range,
                &mut inner.accu_init,
                &mut inner.loop_cond,
                &mut inner.loop_step,
                &mut inner.result,
            ]),
            Expr::List(list) => open.extend(&mut list.elements),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        open.extend([&mut entry.key, &mut entry.value]);
                    }
                }
            }
            Expr::Select(select) => open.push(&mut select.operand),
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
    Ok(regexes)
}

/// The second of what it takes: `text.matches(pattern)` or `matches(text, pattern)`.
fn pattern_of(call: &mut CallExpr) -> Result<&mut IdedExpr, Problem> {
    match (call.target.is_some(), call.args.as_mut_slice()) {
        (true, [pattern]) | (false, [_, pattern]) => Ok(pattern),
        _ => Err(problem("matches() takes a text and a pattern")),
    }
}

fn compile(pattern: &Expr) -> Result<RegexValue, Problem> {
    let Expr::Literal(LiteralValue::String(pattern)) = pattern else {
        return Err(problem("the pattern of matches() must be a text, known beforehand"));
    };
    if pattern.inner().len() > LEN_MAX {
        return Err(problem(format!("a pattern may not be longer than {LEN_MAX} bytes")));
    }
    let regex = RegexBuilder::new(pattern.inner())
        .size_limit(SIZE_MAX)
        .dfa_size_limit(SIZE_MAX)
        .nest_limit(32)
        .build()
        .map_err(|error| problem(format!("the pattern of matches(): {}", last_line(&error))))?;
    Ok(RegexValue(regex))
}

/// The parser of patterns draws a picture first and says what is wrong in its last line.
fn last_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it takes too much memory".to_owned(),
        error => {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}
