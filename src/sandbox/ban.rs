//! The ban of an address that sends wrong secrets too often. It affects every app behind that address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use jiff::Timestamp;

use super::settings::Settings;
use super::time::later;

#[derive(Default)]
pub(super) struct Ban {
    wrong: HashMap<Option<IpAddr>, VecDeque<Timestamp>>,
    until: HashMap<Option<IpAddr>, Timestamp>,
}

impl Ban {
    pub(super) fn wrong_secret(&mut self, from: Option<IpAddr>, settings: &Settings, now: Timestamp) {
        let wrong = self.wrong.entry(from).or_default();
        wrong.retain(|at| later(*at, settings.ban) > now);
        wrong.push_back(now);
        if wrong.len() >= settings.wrong_secrets_to_ban && self.until.get(&from).is_none_or(|end| *end <= now)
        {
            self.until.insert(from, later(now, settings.ban));
        }
    }

    pub(super) fn is_banned(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        self.until.get(&from).is_some_and(|end| now < *end)
    }
}
