//! The functions by name.

use super::{
    collections::{append, dict, index, join, length, slice},
    compare::{equal, less},
    escape,
    function::{Function, Param::*, function as row, variadic},
    humanize::humanize_duration,
    letters::{title, to_lower, to_upper, trim_space},
    replace::{is_match, replace_all},
};
use crate::render::go::{
    budget::Buffer,
    format::{print, print_line, printf, push_json},
    runes::Bytes,
    time::Time,
    time::{Zone, parse},
    value::{ListType, StrType, Value},
};

/// The function with this name.
pub(in crate::render::go) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The names of all functions.
pub(in crate::render::go) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

static FUNCTIONS: [Function; 44] = [
    // Go's. The executor evaluates the arguments of `and` and `or` one by one, and never calls these two.
    variadic("and", &[Reflect, Reflect], |_, args| Ok(args.value(0).clone())),
    variadic("or", &[Reflect, Reflect], |_, args| Ok(args.value(0).clone())),
    row("not", &[Reflect], |_, args| Ok(Value::Bool(!args.value(0).is_true()))),
    variadic("call", &[Reflect, Reflect], |_, args| match args.value(0) {
        Value::Nil => Err("call of nil".to_owned()),
        other => Err(format!("non-function of type {}", other.type_name())),
    }),
    row("len", &[Reflect], |_, args| length(args.value(0))),
    variadic("index", &[Reflect, Reflect], |_, args| index(args.value(0), args.from(1))),
    variadic("slice", &[Reflect, Reflect], |call, args| slice(call, args.value(0), args.from(1))),
    variadic("print", &[Any], |call, args| {
        let text = print(args.all())?;
        call.buffer(text)
    }),
    variadic("println", &[Any], |call, args| {
        let text = print_line(args.all())?;
        call.buffer(text)
    }),
    variadic("printf", &[Str, Any], |call, args| {
        let text = printf(args.bytes(0), args.from(1))?;
        call.buffer(text)
    }),
    variadic("html", &[Any], escape::html),
    variadic("js", &[Any], escape::js),
    variadic("urlquery", &[Any], escape::url_query),
    variadic("eq", &[Reflect, Reflect], |_, args| {
        if args.from(1).is_empty() {
            return Err("missing argument for comparison".to_owned());
        }
        for other in args.from(1) {
            if equal(args.value(0), other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    row("ne", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!equal(args.value(0), args.value(1))?))),
    row("lt", &[Reflect, Reflect], |_, args| Ok(Value::Bool(less(args.value(0), args.value(1))?))),
    row("le", &[Reflect, Reflect], |_, args| Ok(Value::Bool(at_most(args.value(0), args.value(1))?))),
    row("gt", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!at_most(args.value(0), args.value(1))?))),
    row("ge", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!less(args.value(0), args.value(1))?))),
    // Alertmanager's, up to 0.25
    row("toUpper", &[Str], |call, args| call.bytes(to_upper(args.bytes(0)))),
    row("toLower", &[Str], |call, args| call.bytes(to_lower(args.bytes(0)))),
    row("title", &[Str], |call, args| call.bytes(title(args.bytes(0)))),
    row("join", &[Str, Strings], join),
    row("match", &[Str, Str], |call, args| {
        let is_match = is_match(call, &args.text(0), args.bytes(1))?;
        Ok(Value::Bool(is_match))
    }),
    row("safeHtml", &[Str], |_, args| Ok(Value::Str(args.shared_bytes(0), StrType::Html))),
    row("reReplaceAll", &[Str, Str, Str], |call, args| {
        let text = replace_all(call, &args.text(0), &args.text(1), args.bytes(2))?;
        call.buffer(text)
    }),
    variadic("stringSlice", &[Str], |call, args| call.list(args.all().to_vec(), ListType::Strings)),
    // 0.26
    row("trimSpace", &[Str], |call, args| call.bytes(trim_space(args.bytes(0)).to_vec())),
    // 0.28
    row("date", &[Str, Time], |call, args| call.formatted(&args.time(1), &args.text(0))),
    row("tz", &[Str, Time], |call, args| {
        let zone = Zone::load(&args.text(0), call.zone)?;
        Ok(Value::time(args.time(1).in_zone(zone)))
    }),
    row("since", &[Time], |call, args| Ok(Value::duration(call.now.since(&args.time(0))))),
    row("humanizeDuration", &[Any], |_, args| humanize_duration(args.value(0)).map(Value::text)),
    // 0.30
    row("safeUrl", &[Str], |_, args| Ok(Value::Str(args.shared_bytes(0), StrType::Url))),
    row("urlUnescape", &[Str], |call, args| {
        let text = escape::url_unescape(args.bytes(0))?;
        call.bytes(text)
    }),
    row("toJson", &[Any], |call, args| {
        let mut text = Buffer::default();
        push_json(&mut text, args.value(0))?;
        call.buffer(text)
    }),
    // 0.32
    variadic("list", &[Any], |call, args| call.list(args.all().to_vec(), ListType::Any)),
    variadic("append", &[AnyList, Any], append),
    variadic("dict", &[Any], dict),
    // 0.33
    row("now", &[], |call, _| Ok(Value::time(Time::clone(call.now)))),
    // 0.34
    row("routeLabels", &[Str], |call, args| {
        let label = call.data.route_labels.get(args.bytes(0));
        Ok(Value::str(label.map_or_else(Bytes::default, Bytes::clone)))
    }),
    row("toDate", &[Str, Str], |call, args| {
        call.pay_for_layout(&args.text(0))?;
        Ok(Value::time(parse(&args.text(0), &args.text(1)).unwrap_or_else(|_| Time::zero())))
    }),
    row("mustToDate", &[Str, Str], |call, args| {
        call.pay_for_layout(&args.text(0))?;
        parse(&args.text(0), &args.text(1)).map(Value::time)
    }),
    row("base64encode", &[Str], |call, args| call.text(escape::base64_encode(args.bytes(0)))),
    row("base64decode", &[Str], |call, args| {
        let bytes = escape::base64_decode(args.bytes(0))?;
        call.bytes(bytes)
    }),
];

/// Go's `le`.
fn at_most(first: &Value, second: &Value) -> Result<bool, String> {
    Ok(less(first, second)? || equal(first, second)?)
}
