//! The methods of Alertmanager's values.

use std::sync::Arc;

use super::{
    collections::{alerts_with, joined},
    function::{Call, Function, Param, function as row},
    time_methods::{DURATION, NAMED, TIME, ZONE},
};
use crate::render::go::value::{IntType, Kv, List, ListType, Value};

/// The method of `receiver` with this name.
pub(in crate::render::go) fn method(receiver: &Value, name: &str) -> Option<&'static Function> {
    let methods: &'static [Function] = match receiver {
        Value::List(list) => match list.kind {
            ListType::Alerts => &ALERTS,
            ListType::Pairs => &PAIRS,
            ListType::NamedStrings => &STRINGS,
            ListType::Strings | ListType::AlertSlice | ListType::Any => &[],
        },
        Value::Kv(_) => &KV,
        Value::Time(_) => &TIME,
        Value::Int(_, IntType::Duration) => &DURATION,
        Value::Int(_, IntType::Month | IntType::Weekday) => &NAMED,
        Value::Zone(_) => &ZONE,
        _ => &[],
    };
    methods.iter().find(|method| method.name == name)
}

static ALERTS: [Function; 2] = [
    row("Firing", &[], |call, args| status_alerts(call, args.value(0), true)),
    row("Resolved", &[], |call, args| status_alerts(call, args.value(0), false)),
];

static KV: [Function; 5] = [
    row("SortedPairs", &[], |call, args| {
        let kv = args.kv(0);
        let pairs = kv.sorted().map(|index| Value::Pair(Arc::clone(&kv), index));
        call.list(pairs.collect(), ListType::Pairs)
    }),
    row("Names", &[], |call, args| {
        let kv = args.kv(0);
        let names = kv.sorted_pairs().map(|pair| Value::str(Arc::clone(&pair.name)));
        call.list(names.collect(), ListType::NamedStrings)
    }),
    row("Values", &[], |call, args| {
        let kv = args.kv(0);
        let values = kv.sorted_pairs().map(|pair| Value::str(Arc::clone(&pair.value)));
        call.list(values.collect(), ListType::NamedStrings)
    }),
    row("Remove", &[Param::Strings], |call, args| remove(call, &args.kv(0), args.items(1))),
    row("String", &[], |call, args| call.printed(args.value(0))),
];

static PAIRS: [Function; 3] = [
    row("Names", &[], |call, args| fields(call, args.items(0), "Name")),
    row("Values", &[], |call, args| fields(call, args.items(0), "Value")),
    row("String", &[], |call, args| call.printed(args.value(0))),
];

static STRINGS: [Function; 1] = [row("Join", &[Param::Str], |call, args| {
    let text = joined(call, args.items(0), args.bytes(1))?;
    call.buffer(text)
})];

/// The firing or the resolved alerts. Those of the whole payload are computed once.
fn status_alerts(call: &mut Call<'_>, alerts: &Value, is_firing: bool) -> Result<Value, String> {
    let Value::List(list) = alerts else { return Ok(Value::Nil) };
    if Arc::ptr_eq(list, &call.data.alerts) {
        let known: &Arc<List> = if is_firing { &call.data.firing } else { &call.data.resolved };
        return Ok(Value::List(Arc::clone(known)));
    }
    alerts_with(call, list, if is_firing { b"firing" } else { b"resolved" })
}

fn remove(call: &mut Call<'_>, kv: &Kv, names: &[Value]) -> Result<Value, String> {
    let mut names: Vec<&[u8]> = names
        .iter()
        .filter_map(|name| match name {
            Value::Str(name, _) => Some(name.as_ref()),
            _ => None,
        })
        .collect();
    call.budget.steps(names.len() as u64)?;
    call.budget.value(size_of_val(&*kv.0))?;
    names.sort_unstable();
    let is_kept = |name: &[u8]| names.binary_search(&name).is_err();
    Ok(Value::Kv(Arc::new(Kv(kv.0.iter().filter(|pair| is_kept(&pair.name)).cloned().collect()))))
}

fn fields(call: &mut Call<'_>, pairs: &[Value], name: &str) -> Result<Value, String> {
    call.list(pairs.iter().filter_map(|pair| pair.field(name)).collect(), ListType::NamedStrings)
}
