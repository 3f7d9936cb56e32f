//! How much an expression makes. Its steps are bounded before it runs, but not its memory: a list
//! of a thousand copies of a large payload takes a thousand steps. So what goes into lists and
//! maps, and what `+` makes of texts and lists, is counted while it runs.
//!
//! The interpreter has no hook for this. The tree is changed instead: `[x]` becomes
//! `[@take(x, @meter)]`, and `a + b` becomes `@add(a, b, @meter)`. Expressions without lists, maps
//! and `+` stay as they are and cost what they did.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::common::ast::{CallExpr, EntryExpr, Expr, operators};
use cel::common::types::{
    CelBytes, CelList, CelMap, CelMapKey, CelOptional, CelString, DYN_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, IdedExpr};

use crate::expression::RESULT_MAX;

/// No expression can name these itself.
pub(crate) const VARIABLE: &str = "@meter";
const TAKE: &str = "@take";
const ADD: &str = "@add";

/// Loops keep what they gather under this name.
const GATHERED: &str = "@result";

/// A copy of the whole event parses the payload anew, whatever of it is used.
const EVENT_BYTES: usize = RESULT_MAX / 8;

static METER_TYPE: Type = Type::new_unspecified_type("meter");

/// What one evaluation made so far, in bytes of JSON, about. Shared with the functions of the
/// interpreter, which see it as a value.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicUsize);

impl Meter {
    /// Whether more was made than may be.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) > RESULT_MAX
    }

    fn take(&self, value: &dyn Val) -> Result<(), ExecutionError> {
        let left = RESULT_MAX.saturating_sub(self.0.load(Ordering::Relaxed));
        self.0.fetch_add(bytes(value, left), Ordering::Relaxed);
        if self.is_over() {
            return Err(ExecutionError::function_error("@take", "too large"));
        }
        Ok(())
    }
}

impl Val for Meter {
    fn get_type(&self) -> &Type {
        &METER_TYPE
    }

    fn cel_type() -> &'static Type {
        &METER_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Self(AtomicUsize::new(self.0.load(Ordering::Relaxed))))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Meter {}

/// The size of a value; walks no further than `max`, but then says more.
fn bytes(value: &dyn Val, max: usize) -> usize {
    if let Some(text) = value.downcast_ref::<CelString>() {
        text.inner().len() + 2
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        bytes.inner().len() + 2
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        let items = list.inner().iter();
        sum(items.map(|item| |left| bytes(&**item, left) + 1), max)
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let entries = map.inner().iter();
        sum(entries.map(|(key, value)| |left| key_bytes(key) + bytes(&**value, left) + 2), max)
    } else if let Some(optional) = value.downcast_ref::<CelOptional>() {
        optional.option().map_or(2, |inner| bytes(inner, max))
    } else if value.get_type().name() == "map" {
        EVENT_BYTES
    } else {
        2
    }
}

fn sum(parts: impl Iterator<Item = impl FnOnce(usize) -> usize>, max: usize) -> usize {
    let mut total = 2_usize;
    for part in parts {
        total = total.saturating_add(part(max.saturating_sub(total)));
        if total > max {
            break;
        }
    }
    total
}

fn key_bytes(key: &CelMapKey<'_>) -> usize {
    match key {
        CelMapKey::String(text) => text.inner().len() + 2,
        CelMapKey::Bool(_) | CelMapKey::Int(_) | CelMapKey::UInt(_) => 4,
    }
}

/// Adds the functions that count.
pub(crate) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let any = || DYN_TYPE.to_owned();
    env.add_overload(TAKE, "evoke_take", vec![any(), METER_TYPE.to_owned()], take)?;
    env.add_overload(ADD, "evoke_add", vec![any(), any(), METER_TYPE.to_owned()], add)
}

fn meter<'m>(value: &'m CowVal<'_, '_>) -> Result<&'m Meter, ExecutionError> {
    value.downcast_ref::<Meter>().ok_or_else(ExecutionError::missing_argument_or_target)
}

fn take<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, counter] =
        <[_; 2]>::try_from(arguments).map_err(|_| ExecutionError::missing_argument_or_target())?;
    meter(&counter)?.take(&*value)?;
    Ok(value)
}

fn add<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [left, right, counter] = arguments.as_slice() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let types = || vec![left.get_type().name().to_owned(), right.get_type().name().to_owned()];
    let adder = left.as_adder();
    let adder = adder.ok_or_else(|| ExecutionError::no_such_overload(operators::ADD, types()))?;
    let counter = meter(counter)?;
    // Counted before it is made.
    counter.take(&**left)?;
    counter.take(&**right)?;
    adder.add(&**right).map(|sum| CowVal::Owned(sum.into_owned()))
}

/// Changes the tree so that what it makes is counted; says whether there was anything to count.
pub(crate) fn insert(root: &mut IdedExpr) -> bool {
    let mut counts = false;
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match &mut node.expr {
            Expr::Call(call) => {
                if grows(call) {
                    call.func_name = ADD.to_owned();
                    call.args.push(variable());
                    counts = true;
                }
                open.extend(call.target.as_deref_mut());
                open.extend(&mut call.args);
            }
            Expr::List(list) => {
                list.elements.iter_mut().for_each(|item| counts |= wrap(item));
                open.extend(&mut list.elements);
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        counts |= wrap(&mut entry.value);
                        open.extend([&mut entry.key, &mut entry.value]);
                    }
                }
            }
            Expr::Comprehension(inner) => open.extend([
                &mut inner.iter_range,
                &mut inner.accu_init,
                &mut inner.loop_cond,
                &mut inner.loop_step,
                &mut inner.result,
            ]),
            Expr::Select(select) => open.push(&mut select.operand),
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
    counts
}

fn variable() -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Ident(VARIABLE.to_owned()) }
}

/// Whether it may make something large. A literal is small, and what a loop gathers is counted by
/// the item.
fn grows(call: &CallExpr) -> bool {
    let small = |expr: &Expr| match expr {
        Expr::Literal(_) => true,
        Expr::Ident(name) => name == GATHERED,
        _ => false,
    };
    call.func_name == operators::ADD
        && call.args.len() == 2
        && !call.args.iter().any(|arg| small(&arg.expr))
}

/// Counts a value, unless its parts are counted already.
fn wrap(value: &mut IdedExpr) -> bool {
    match &value.expr {
        Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Comprehension(_) => false,
        _ => {
            let id = value.id;
            let inner = std::mem::replace(value, variable());
            let args = vec![inner, variable()];
            let func_name = TAKE.to_owned();
            let call = CallExpr { func_name, target: None, args };
            *value = IdedExpr { id, expr: Expr::Call(call) };
            true
        }
    }
}
