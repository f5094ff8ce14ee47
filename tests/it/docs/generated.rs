//! Tables that come from the program, between `<!-- generated: name -->` and `<!-- end -->`.
//!
//! The program gives the rows, their order and the cells that it knows. Cells in prose are written in the page and kept.
//! `UPDATE_DOCS=1 cargo test --test it -- docs` rewrites the tables.

use std::{collections::BTreeMap, fs, ops::RangeInclusive};

use wecom_relay::{
    config::accepted_keys,
    language::Language,
    metrics::{
        DEAD_REASONS, HELD_REASONS, INVALID_KINDS, NO_ERRCODE, OTHER_ERRCODE, PRESS_ACTIONS, PressResult,
        REFRESH_RESULTS, REPAIR_KINDS, RESULTS, RESULTS_WITHOUT_RECEIVER,
    },
    wecom::{
        Api, ApiError, Outcome,
        errcode::{Class, Entry, class_of, entries, entries_by_api},
    },
};

use super::page::path;
use crate::{
    metrics::{Metric, exported, scrape},
    support::{Relay, Wecom},
};

/// The pages in English and in Chinese.
const FOLDERS: [&str; 2] = ["docs", "docs/zh-CN"];

/// A row: its name in the first cell, the cells that the program gives, and the number of cells in prose after them.
struct Row {
    name: String,
    given: Vec<String>,
    prose: usize,
}

/// Compares the tables of both pages, so that one run updates both.
fn compare(page: &str, table: &str, rows: [Vec<Row>; 2]) {
    let pages = FOLDERS.map(|folder| format!("{folder}/{page}"));
    let problems = pages.iter().zip(&rows).filter_map(|(page, rows)| problem(page, table, rows));
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Replaces the rows of a table in a page, or says what is wrong with them.
fn problem(page: &str, table: &str, rows: &[Row]) -> Option<String> {
    let text = fs::read_to_string(path(page)).unwrap();
    let begin = format!("<!-- generated: {table} -->\n\n");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (written, after) = rest.split_once("\n<!-- end -->").unwrap();
    let mut lines = written.lines();
    let head = [lines.next().unwrap(), lines.next().unwrap()].join("\n");
    let prose: BTreeMap<_, _> = lines.map(|line| (first_cell(line), cells(line))).collect();
    let mut generated = head + "\n";
    let mut missing = Vec::new();
    for Row { name, given, prose: count } in rows {
        let kept = prose.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let kept = kept.get(kept.len().saturating_sub(*count)..).unwrap_or_default();
        if *count > 0 && kept.iter().all(String::is_empty) {
            missing.push(name.as_str());
        }
        let blank = vec![String::new(); count - kept.len()];
        let row: Vec<_> = [std::slice::from_ref(name), given, &blank, kept].concat();
        let shown = row.iter().map(|cell| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") });
        generated.push_str(&format!("|{}|\n", shown.collect::<Vec<_>>().join("|")));
    }
    if generated != written && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(page), format!("{before}{begin}{generated}\n<!-- end -->{after}")).unwrap();
    } else if generated != written {
        return Some(format!(
            "the {table} in {page} are stale: run `UPDATE_DOCS=1 cargo test --test it -- docs`"
        ));
    }
    let unfinished =
        format!("{page} does not describe the {table} {missing:?}: write the last cells of these rows");
    (!missing.is_empty()).then_some(unfinished)
}

fn cells(row: &str) -> Vec<String> {
    const ESCAPED: &str = "\u{0}";
    let row = row.replace(r"\|", ESCAPED);
    let inner = row.trim_matches(' ').strip_prefix('|').and_then(|row| row.strip_suffix('|'));
    let cells = inner.unwrap_or_else(|| panic!("no row: {row}")).split('|');
    cells.map(|cell| cell.trim().replace(ESCAPED, r"\|")).collect()
}

fn first_cell(row: &str) -> String {
    cells(row).swap_remove(0)
}

/// The keys in the order of the configuration: each one is followed by the keys within it.
fn in_order(within: &str, keys: &[String], ordered: &mut Vec<String>) {
    let direct = |key: &&String| key.strip_prefix(within).is_some_and(|rest| !rest.contains('.'));
    for key in keys.iter().filter(direct) {
        ordered.push(key.clone());
        for inner in [format!("{key}."), format!("{key}[].")] {
            in_order(&inner, keys, ordered);
        }
    }
}

#[test]
fn the_tables_of_keys_are_those_of_the_program() {
    let mut ordered = Vec::new();
    in_order("", &accepted_keys(), &mut ordered);
    assert_eq!(ordered.len(), accepted_keys().len());
    let row = |key: &String| Row { name: format!("`{key}`"), given: Vec::new(), prose: 2 };
    compare("configuration.md", "keys", [(); 2].map(|()| ordered.iter().map(row).collect()));
}

/// The errcodes that only `webhook/send` has.
const OF_ROBOTS: RangeInclusive<i64> = 93000..=93999;

fn reaction(class: Class, is_robot: bool, chinese: bool) -> String {
    let [english, in_chinese] = match class {
        Class::Token => ["renews the token, sends again", "刷新 token 后重发"],
        Class::Transient => ["retries", "重试"],
        Class::RateLimited if is_robot => ["holds the robot, retries", "暂停该机器人，稍后重试"],
        Class::RateLimited => ["holds the app, retries", "暂停该应用，稍后重试"],
        Class::Configuration if is_robot => ["holds the robot until it is fixed", "暂停该机器人，等待修正"],
        Class::Configuration => ["holds the app until it is fixed", "暂停该应用，等待修正"],
        Class::Message | Class::Recipient => ["dead letter", "死信"],
        Class::Unknown => ["three attempts", "尝试三次"],
    };
    if chinese { in_chinese } else { english }.to_owned()
}

struct ErrcodeRow {
    name: String,
    entry: &'static Entry,
    is_robot: bool,
}

/// The entries, those with the same text together. An entry for some calls alone follows the usual one.
fn grouped() -> Vec<ErrcodeRow> {
    let mut rows: Vec<ErrcodeRow> = Vec::new();
    for entry in entries() {
        let is_same = |row: &&mut ErrcodeRow| {
            (row.entry.class, row.entry.meaning, row.entry.fix) == (entry.class, entry.meaning, entry.fix)
        };
        match rows.iter_mut().find(is_same) {
            Some(row) => row.name.push_str(&format!(", {}", entry.errcode)),
            None => {
                let is_robot = OF_ROBOTS.contains(&entry.errcode.0);
                rows.push(ErrcodeRow { name: entry.errcode.to_string(), entry, is_robot });
            }
        }
        for (apis, special) in entries_by_api().filter(|(_, special)| special.errcode == entry.errcode) {
            let calls: Vec<_> = apis.iter().map(|api| format!("`{}`", api.name())).collect();
            let name = format!("{} ({})", special.errcode, calls.join(", "));
            rows.push(ErrcodeRow { name, entry: special, is_robot: apis.contains(&Api::WebhookSend) });
        }
    }
    rows
}

#[test]
fn the_tables_of_errcodes_are_those_of_the_program() {
    let rows = [false, true].map(|chinese| {
        let row = |ErrcodeRow { name, entry, is_robot }: ErrcodeRow| {
            let language = if chinese { Language::Zh } else { Language::En };
            let meaning = (*entry.meaning.get(language)).to_owned();
            let fix = entry.fix.map(|fix| (*fix.get(language)).to_owned()).unwrap_or_default();
            Row { name, given: vec![reaction(entry.class, is_robot, chinese), meaning, fix], prose: 0 }
        };
        grouped().into_iter().map(row).collect()
    });
    compare("troubleshooting.md", "errcodes", rows);
}

/// A reader of the table must not wait for a hold that never comes.
#[test]
fn the_table_of_errcodes_says_what_a_send_does() {
    let sends = [Api::MessageSend, Api::AppchatSend, Api::WebhookSend];
    for entry in entries() {
        let is_special = |api: &Api| {
            entries_by_api().any(|(apis, special)| apis.contains(api) && special.errcode == entry.errcode)
        };
        for api in sends.into_iter().filter(|api| !is_special(api)) {
            let error = ApiError { api, errcode: entry.errcode, errmsg: String::new() };
            let class = class_of(&Outcome::Rejected(error)).unwrap();
            let is_token = entry.class == Class::Token && class == Class::Configuration;
            assert!(is_token || class == entry.class, "{} {}", api.name(), entry.errcode);
        }
    }
}

#[test]
fn the_values_of_labels_are_described() {
    let total = |name: &str| format!("`wecom_relay_{name}_total`");
    let described = [
        (total("notifications_received"), [&RESULTS[..], &RESULTS_WITHOUT_RECEIVER].concat()),
        (total("payload_repairs"), REPAIR_KINDS.to_vec()),
        (total("deliveries"), DEAD_REASONS.to_vec()),
        (total("attempts"), vec![NO_ERRCODE, OTHER_ERRCODE]),
        ("`wecom_relay_sender_held`".to_owned(), HELD_REASONS.to_vec()),
        (total("token_refreshes"), REFRESH_RESULTS.to_vec()),
        (total("invalid_recipients"), INVALID_KINDS.to_vec()),
        (total("presses"), [&PRESS_ACTIONS[..], &PressResult::ALL.map(PressResult::name)].concat()),
    ];
    for folder in FOLDERS {
        let text = fs::read_to_string(path(&format!("{folder}/metrics.md"))).unwrap();
        for (metric, values) in &described {
            let row = text.lines().find(|line| line.contains(metric.as_str())).unwrap();
            for value in values {
                assert!(
                    row.contains(&format!("`{value}`")),
                    "{folder}/metrics.md: {metric} says nothing of {value}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_tables_of_metrics_are_those_of_the_program() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let metrics = exported(&scrape(&relay).await);
    let rows = [", ", "、"].map(|separator| {
        let row = |metric: &Metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let given = vec![metric.kind.clone(), labels.join(separator)];
            Row { name: format!("`{}`", metric.name), given, prose: 2 }
        };
        metrics.iter().map(row).collect()
    });
    compare("metrics.md", "metrics", rows);
    relay.stop().await;
}
