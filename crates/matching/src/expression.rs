//! CEL expressions over one event: filters, keys and transforms (<https://cel.dev>).
//!
//! CEL has no loops without end, but it has no price either. So an expression is bounded when it is
//! compiled (length, nesting, number of operations, patterns of `matches`), one that walks lists is
//! bounded by the payload before it runs, and what it makes is counted while it runs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelDouble, CelInt, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::parser::PrattParser;
use cel::{Context, DeclarationError, Env, IdedExpr, Value};
use evoke_model::{Event, Problem};

use crate::json;
use crate::meter::{self, Meter};
use crate::regex::{self, RegexValue};
use crate::shape::{self, Shape};
use crate::value::{EventValue, Size};

/// An expression may not be longer: a filter is a condition, not a program.
pub const LEN_MAX: usize = 4 * 1024;

/// Steps an expression with loops may take, by the largest list of the payload: about 0.2 s.
const STEPS_MAX: u64 = 1_000_000;

/// Length of a key that is computed: keys are kept with each execution.
pub const KEY_LEN_MAX: usize = 512;

/// Bytes an expression may make, as JSON: as much as a payload may have.
pub const RESULT_MAX: usize = 10 << 20;

/// Functions and types of the language. It never changes and costs 50 µs to make.
static ENV: LazyLock<Result<Arc<Env>, DeclarationError>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    regex::declare(&mut env)?;
    meter::declare(&mut env)?;
    Ok(Arc::new(env))
});

/// A compiled expression.
pub struct Expression {
    text: Box<str>,
    root: IdedExpr,
    env: Arc<Env>,
    /// What its calls of `matches` look for.
    regexes: Vec<RegexValue>,
    /// How many loops stand within one another; 0 for nearly all expressions.
    loop_depth: u32,
}

/// Why an expression gave no answer for an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A field is missing, types do not fit, a number overflows.
    #[error("{0}")]
    Failed(String),
    /// It gave something else than what is needed.
    #[error("expected {expected}, got {got}")]
    WrongType {
        /// What is needed.
        expected: &'static str,
        /// The type it gave.
        got: String,
    },
    /// The payload is too large to be walked by this expression.
    #[error("the lists or texts of this payload are too large for an expression with loops")]
    TooExpensive,
    /// What it makes is larger than [`RESULT_MAX`].
    #[error("the result is larger than 10 MB")]
    TooLarge,
    /// A key is longer than [`KEY_LEN_MAX`].
    #[error("the key is longer than {KEY_LEN_MAX} bytes")]
    KeyTooLong,
}

/// One event as expressions see it: the variable `event` with `id`, `source`, `type`, `subject`,
/// `time`, `data` and the extension attributes. Making one costs nothing; the payload is parsed
/// when it is first asked for, once for all expressions.
#[derive(Debug)]
pub struct Scope<'e> {
    event: EventValue<'e>,
}

impl<'e> Scope<'e> {
    /// The scope of an event.
    pub fn new(event: &'e Event) -> Self {
        Self { event: EventValue::new(event) }
    }
}

/// What an expression finds under its names.
struct Variables<'s, 'e> {
    scope: &'s Scope<'e>,
    regexes: &'s [RegexValue],
    meter: Meter,
}

impl VariableResolver for Variables<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value: &'b (dyn Val + 'b) = match variable {
            "event" => &self.scope.event,
            meter::VARIABLE => &self.meter,
            name => regex::lookup(self.regexes, name)?,
        };
        Some(CowVal::Borrowed(value))
    }
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it is not CEL, uses another variable than `event` or an unknown function, or is over
    /// one of the limits.
    pub fn compile(text: &str) -> Result<Self, Problem> {
        if text.len() > LEN_MAX {
            return Err(problem(format!("an expression may not be longer than {LEN_MAX} bytes")));
        }
        if text.trim().is_empty() {
            return Err(problem("an expression may not be empty"));
        }
        shape::check_text(text)?;
        let parser =
            PrattParser::new().max_recursion_depth(shape::NESTING_MAX).enable_optional_syntax(true);
        // The parser is not ours: should it panic, it is the expression that is refused.
        let mut root = catch_unwind(AssertUnwindSafe(|| parser.parse(text)))
            .map_err(|_| problem("this expression cannot be parsed"))?
            .map_err(|errors| problem(first_line(&errors.to_string())))?;
        meter::insert(&mut root);
        let loop_depth = Shape::of(&root)?.loop_depth;
        let regexes = regex::extract(&mut root)?;
        let env = ENV.clone().map_err(|error| problem(error.to_string()))?;
        Ok(Self { text: text.into(), root, env, regexes, loop_depth })
    }

    /// The answer as a condition.
    ///
    /// # Errors
    /// When it cannot be computed or is no boolean.
    pub fn evaluate_bool(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        self.evaluate(scope, |value| match value.downcast_ref::<CelBool>() {
            Some(flag) => Ok(*flag.inner()),
            None => Err(wrong_type("bool", value)),
        })
    }

    /// The answer as a key: texts as they are, numbers and booleans in their shortest form (`2` and
    /// `2.0` are one key), `null` is no key.
    ///
    /// # Errors
    /// When it cannot be computed, is neither text, number nor boolean, or is too long.
    pub fn evaluate_key(&self, scope: &Scope<'_>) -> Result<Option<Box<str>>, EvalError> {
        self.evaluate(scope, key_of)
    }

    /// The answer as a whole number.
    ///
    /// # Errors
    /// When it cannot be computed or is no whole number.
    pub fn evaluate_whole(&self, scope: &Scope<'_>) -> Result<i64, EvalError> {
        self.evaluate(scope, |value| {
            whole(value).ok_or_else(|| wrong_type("a whole number", value))
        })
    }

    /// The answer as JSON; the keys of objects are sorted.
    ///
    /// # Errors
    /// When it cannot be computed, is no JSON or is larger than [`RESULT_MAX`].
    pub fn evaluate_json(&self, scope: &Scope<'_>) -> Result<serde_json::Value, EvalError> {
        self.evaluate(scope, json::of)
    }

    fn evaluate<T>(
        &self,
        scope: &Scope<'_>,
        take: impl FnOnce(&dyn Val) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        if self.loop_depth > 0 && steps(scope.event.payload().size, self.loop_depth) > STEPS_MAX {
            return Err(EvalError::TooExpensive);
        }
        let variables = Variables { scope, regexes: &self.regexes, meter: Meter::default() };
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(&variables);
        // A panic of the interpreter is this expression's failure, not the end of all intake.
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let value = Value::resolve_val(&self.root, &context).map_err(|error| {
                if variables.meter.is_over() {
                    return EvalError::TooLarge;
                }
                EvalError::Failed(shorten(error.to_string()))
            })?;
            take(&*value)
        }));
        answer.unwrap_or_else(|_| Err(EvalError::Failed("the expression panicked".to_owned())))
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

fn key_of(value: &dyn Val) -> Result<Option<Box<str>>, EvalError> {
    let key: Box<str> = if let Some(text) = value.downcast_ref::<CelString>() {
        text.inner().into()
    } else if let Some(number) = value.downcast_ref::<CelInt>() {
        number.inner().to_string().into()
    } else if let Some(number) = value.downcast_ref::<CelUInt>() {
        number.inner().to_string().into()
    } else if let Some(flag) = value.downcast_ref::<CelBool>() {
        if *flag.inner() { "true".into() } else { "false".into() }
    } else if let Some(number) = value.downcast_ref::<CelDouble>() {
        match *number.inner() {
            number if !number.is_finite() => return Err(wrong_type("a finite number", value)),
            // Minus zero is zero.
            0.0 => "0".into(),
            number => number.to_string().into(),
        }
    } else if value.downcast_ref::<CelNull>().is_some() {
        return Ok(None);
    } else {
        return Err(wrong_type("a text, a number or a boolean", value));
    };
    if key.len() > KEY_LEN_MAX { Err(EvalError::KeyTooLong) } else { Ok(Some(key)) }
}

/// Numbers beyond 64 bits with a sign are cut to them.
fn whole(value: &dyn Val) -> Option<i64> {
    if let Some(number) = value.downcast_ref::<CelInt>() {
        return Some(*number.inner());
    }
    if let Some(number) = value.downcast_ref::<CelUInt>() {
        return Some(i64::try_from(*number.inner()).unwrap_or(i64::MAX));
    }
    let number = *value.downcast_ref::<CelDouble>()?.inner();
    // JSON does not tell `2.0` from `2`.
    (number.is_finite() && number.fract() == 0.0).then_some(number as i64)
}

pub(crate) fn wrong_type(expected: &'static str, value: &dyn Val) -> EvalError {
    EvalError::WrongType { expected, got: value.get_type().name().to_owned() }
}

/// How many steps loops of this depth can take at most. A text in a loop may be looked through in
/// each step, which costs as much as a step for every 256 bytes.
fn steps(size: Size, loop_depth: u32) -> u64 {
    let rounds = (size.entries.max(1) as u64).saturating_pow(loop_depth);
    rounds.saturating_mul(1 + size.text as u64 / 256)
}

pub(crate) fn problem(message: impl Into<String>) -> Problem {
    Problem::new("", message)
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("ERROR: <input>:").to_owned()
}

/// Errors of the interpreter print the values they met, which may be a whole payload.
fn shorten(mut text: String) -> String {
    const SHOWN_MAX: usize = 300;
    if text.len() > SHOWN_MAX {
        let end = text.floor_char_boundary(SHOWN_MAX);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
