//! The methods of Go's `time.Time`, `time.Duration`, `time.Month`, `time.Weekday` and `time.Location`.

use super::{
    arguments::Arguments,
    function::{Function, Param, function as row},
};
use crate::render::go::{
    time::{Zone, rounded, seconds, truncated},
    value::{IntType, Value},
};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

pub(super) static TIME: [Function; 35] = [
    row("Format", &[Param::Str], |call, args| call.formatted(&args.time(0), &args.text(1))),
    row("String", &[], |call, args| call.printed(args.value(0))),
    row("Add", &[Param::Duration], |_, args| Ok(Value::time(args.time(0).add(args.int(1))))),
    row("AddDate", &[Param::Int, Param::Int, Param::Int], |_, args| {
        Ok(Value::time(args.time(0).add_date(args.int(1), args.int(2), args.int(3))))
    }),
    row("Sub", &[Param::Time], |_, args| Ok(Value::duration(args.time(0).since(&args.time(1))))),
    row("Truncate", &[Param::Duration], |_, args| Ok(Value::time(args.time(0).truncated(args.int(1))))),
    row("Round", &[Param::Duration], |_, args| Ok(Value::time(args.time(0).rounded(args.int(1))))),
    row("Local", &[], |call, args| Ok(Value::time(args.time(0).in_zone(Zone::local(call.zone))))),
    row("UTC", &[], |_, args| Ok(Value::time(args.time(0).in_zone(Zone::Utc)))),
    row("In", &[Param::Zone], |_, args| Ok(Value::time(args.time(0).in_zone(args.zone(1))))),
    row("Location", &[], |_, args| Ok(Value::Zone(args.time(0).zone.clone().into()))),
    row("IsZero", &[], |_, args| Ok(Value::Bool(args.time(0).is_zero()))),
    row("IsDST", &[], |_, args| Ok(Value::Bool(args.time(0).is_daylight_saving()))),
    row("After", &[Param::Time], |_, args| Ok(Value::Bool(order(args).is_gt()))),
    row("Before", &[Param::Time], |_, args| Ok(Value::Bool(order(args).is_lt()))),
    row("Equal", &[Param::Time], |_, args| Ok(Value::Bool(order(args).is_eq()))),
    row("Compare", &[Param::Time], |_, args| Ok(Value::int(order(args) as i64))),
    row("Unix", &[], |_, args| Ok(int64(args.time(0).unix(1)))),
    row("UnixMilli", &[], |_, args| Ok(int64(args.time(0).unix(SECOND / MILLISECOND)))),
    row("UnixMicro", &[], |_, args| Ok(int64(args.time(0).unix(SECOND / MICROSECOND)))),
    row("UnixNano", &[], |_, args| Ok(int64(args.time(0).unix_nanoseconds()))),
    row("Year", &[], |_, args| Ok(Value::int(args.time(0).clock().year))),
    row("Month", &[], |_, args| Ok(Value::Int(args.time(0).clock().month, IntType::Month))),
    row("Day", &[], |_, args| Ok(Value::int(args.time(0).clock().day))),
    row("Hour", &[], |_, args| Ok(Value::int(args.time(0).clock().hour))),
    row("Minute", &[], |_, args| Ok(Value::int(args.time(0).clock().minute))),
    row("Second", &[], |_, args| Ok(Value::int(args.time(0).clock().second))),
    row("Nanosecond", &[], |_, args| Ok(Value::int(args.time(0).nanosecond))),
    row("YearDay", &[], |_, args| Ok(Value::int(args.time(0).clock().year_day()))),
    row("Weekday", &[], |_, args| Ok(Value::Int(args.time(0).clock().weekday, IntType::Weekday))),
    several_results("Date", 3),
    several_results("Clock", 3),
    several_results("ISOWeek", 2),
    several_results("Zone", 2),
    several_results("ZoneBounds", 2),
];

pub(super) static DURATION: [Function; 10] = [
    row("String", &[], |call, args| call.printed(args.value(0))),
    row("Hours", &[], |_, args| Ok(Value::Float(seconds(args.int(0), HOUR)))),
    row("Minutes", &[], |_, args| Ok(Value::Float(seconds(args.int(0), MINUTE)))),
    row("Seconds", &[], |_, args| Ok(Value::Float(seconds(args.int(0), SECOND)))),
    row("Milliseconds", &[], |_, args| Ok(int64(args.int(0) / MILLISECOND))),
    row("Microseconds", &[], |_, args| Ok(int64(args.int(0) / MICROSECOND))),
    row("Nanoseconds", &[], |_, args| Ok(int64(args.int(0)))),
    row("Truncate", &[Param::Duration], |_, args| Ok(Value::duration(truncated(args.int(0), args.int(1))))),
    row("Round", &[Param::Duration], |_, args| Ok(Value::duration(rounded(args.int(0), args.int(1))))),
    row("Abs", &[], |_, args| Ok(Value::duration(args.int(0).saturating_abs()))),
];

/// Of months and days of the week.
pub(super) static NAMED: [Function; 1] = [row("String", &[], |call, args| call.printed(args.value(0)))];

pub(super) static ZONE: [Function; 1] = [row("String", &[], |call, args| call.printed(args.value(0)))];

fn order(args: Arguments<'_>) -> std::cmp::Ordering {
    args.time(0).moment().cmp(&args.time(1).moment())
}

fn int64(number: i64) -> Value {
    Value::Int(number, IntType::Int64)
}

/// A method that a template cannot call.
const fn several_results(name: &'static str, results: usize) -> Function {
    Function { name, params: &[], is_variadic: false, results, body: |_, _| Ok(Value::Nil) }
}
