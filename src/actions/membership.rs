//! Asks WeCom whether a member belongs to the departments and tags that may press.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::allowed::Allowed;
use crate::{
    outbox::SenderName,
    wecom::{
        Contacts, Outcome, WecomError,
        errcode::{self, Class},
    },
};

/// An answer is used again for this time, so that each press of a night needs no call.
const VALID_FOR: Duration = Duration::from_secs(5 * 60);
/// The largest number of answers that are kept.
const MAX_ANSWERS: usize = 1000;
/// Departments of WeCom are at most 15 levels deep.
const MAX_LEVELS: usize = 20;

/// The last answers, for all presses.
#[derive(Debug, Default)]
pub(super) struct Memberships(Mutex<HashMap<Question, Answer>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    sender: SenderName,
    /// In lower case.
    user: String,
    allowed: Allowed,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    may_press: bool,
    at: Timestamp,
}

impl Memberships {
    /// True if `user` may press.
    ///
    /// # Errors
    /// WeCom refuses or does not answer.
    pub(super) async fn may_press(
        &self,
        user: &str,
        allowed: &Allowed,
        sender: &SenderName,
        contacts: Option<&impl Contacts>,
        now: Timestamp,
    ) -> Result<bool, WecomError> {
        if allowed.is_everybody() || allowed.names(user) {
            return Ok(true);
        }
        // Without the contacts of the app, nobody is known to belong to a department.
        let Some(contacts) = contacts else { return Ok(false) };
        if allowed.parties.is_empty() && allowed.tags.is_empty() {
            return Ok(false);
        }
        let question =
            Question { sender: sender.clone(), user: user.to_lowercase(), allowed: allowed.clone() };
        if let Some(may_press) = self.known(&question, now) {
            return Ok(may_press);
        }
        let may_press = belongs(&question, contacts).await?;
        self.keep(question, Answer { may_press, at: now });
        Ok(may_press)
    }

    fn known(&self, question: &Question, now: Timestamp) -> Option<bool> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, answer| now.duration_since(answer.at).unsigned_abs() < VALID_FOR);
        answers.get(question).map(|answer| answer.may_press)
    }

    fn keep(&self, question: Question, answer: Answer) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() < MAX_ANSWERS {
            answers.insert(question, answer);
        }
    }
}

async fn belongs(question: &Question, contacts: &impl Contacts) -> Result<bool, WecomError> {
    let Question { sender, user, allowed } = question;
    let mut wanted: BTreeSet<u64> = allowed.parties.iter().copied().collect();
    for tag in &allowed.tags {
        let Some(members) = if_visible(contacts.tag(*tag).await)? else {
            warn_of_unknown(sender, "allow_tag", *tag);
            continue;
        };
        if members.users.iter().any(|member| member == user) {
            return Ok(true);
        }
        wanted.extend(members.departments);
    }
    if wanted.is_empty() {
        return Ok(false);
    }
    let is_inside = is_below(user, &wanted, contacts).await?;
    if !is_inside {
        warn_of_unknown_parties(sender, allowed, contacts).await;
    }
    Ok(is_inside)
}

/// True if the member is in one of these departments, or below it.
async fn is_below(user: &str, wanted: &BTreeSet<u64>, contacts: &impl Contacts) -> Result<bool, WecomError> {
    let mut level: BTreeSet<u64> = contacts.departments_of(user).await?.into_iter().collect();
    let mut seen = BTreeSet::new();
    for _ in 0..MAX_LEVELS {
        if level.iter().any(|department| wanted.contains(department)) {
            return Ok(true);
        }
        let mut above = BTreeSet::new();
        for department in level {
            if seen.insert(department) {
                // The highest department that the app can see has no visible parent.
                above.extend(if_visible(contacts.parent_of(department).await)?.flatten());
            }
        }
        if above.is_empty() {
            return Ok(false);
        }
        level = above;
    }
    Ok(false)
}

/// `None` if there is no such tag or department, or if the app cannot see it.
fn if_visible<T>(answer: Result<T, WecomError>) -> Result<Option<T>, WecomError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(WecomError::Rejected(error))
            if errcode::class_of(&Outcome::Rejected(error.clone())) == Some(Class::Recipient) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Looks at each department only after a member was in none of them, because a deleted one lets nobody press.
async fn warn_of_unknown_parties(sender: &SenderName, allowed: &Allowed, contacts: &impl Contacts) {
    for party in &allowed.parties {
        if let Ok(None) = if_visible(contacts.parent_of(*party).await) {
            warn_of_unknown(sender, "allow_party", *party);
        }
    }
}

fn warn_of_unknown(app: &SenderName, key: &str, id: u64) {
    tracing::warn!(
        %app, key, id,
        "WeCom shows the app no such department or tag, so it lets nobody press a button; correct actions"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::wecom::{Api, ApiError, Errcode, TagMembers};

    /// Departments 1 > 2 > 3 and 1 > 4; the app cannot see 1. zhangsan is in 3, lisi in 4.
    #[derive(Default)]
    struct Company {
        calls: AtomicUsize,
    }

    fn rejected(errcode: i64) -> WecomError {
        WecomError::Rejected(ApiError { api: Api::UserGet, errcode: Errcode(errcode), errmsg: String::new() })
    }

    impl Contacts for Company {
        async fn departments_of(&self, user: &str) -> Result<Vec<u64>, WecomError> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            match user {
                "zhangsan" => Ok(vec![3]),
                "lisi" => Ok(vec![4]),
                _ => Err(rejected(60111)),
            }
        }

        async fn parent_of(&self, department: u64) -> Result<Option<u64>, WecomError> {
            match department {
                3 => Ok(Some(2)),
                2 | 4 => Ok(Some(1)),
                _ => Err(rejected(60011)),
            }
        }

        async fn tag(&self, tag: u64) -> Result<TagMembers, WecomError> {
            match tag {
                7 => Ok(TagMembers { users: vec!["wangwu".to_owned()], departments: vec![4] }),
                8 => Err(rejected(40068)),
                _ => Err(rejected(-1)),
            }
        }
    }

    fn allowed(users: &[&str], parties: &[u64], tags: &[u64]) -> Allowed {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        Allowed { users, parties: parties.to_vec(), tags: tags.to_vec() }
    }

    async fn may_press(user: &str, allowed: &Allowed) -> Result<bool, WecomError> {
        let sender = SenderName("ops".to_owned());
        Memberships::default()
            .may_press(user, allowed, &sender, Some(&Company::default()), Timestamp::UNIX_EPOCH)
            .await
    }

    #[tokio::test]
    async fn users_departments_above_and_tags_are_allowed() {
        for (user, allowed, expected) in [
            ("anybody", allowed(&[], &[], &[]), true),
            ("ZhangSan", allowed(&["zhangsan"], &[], &[]), true),
            ("lisi", allowed(&["zhangsan"], &[], &[]), false),
            ("ZhangSan", allowed(&[], &[2], &[]), true),
            ("zhangsan", allowed(&[], &[3], &[]), true),
            ("lisi", allowed(&[], &[2, 3], &[]), false),
            ("WangWu", allowed(&[], &[], &[7]), true),
            ("lisi", allowed(&[], &[], &[7]), true),
            ("zhangsan", allowed(&[], &[], &[7]), false),
        ] {
            assert_eq!(may_press(user, &allowed).await, Ok(expected), "{user} {allowed:?}");
        }
    }

    #[tokio::test]
    async fn a_deleted_tag_or_department_lets_the_other_entries_count() {
        for (user, allowed, expected) in [
            ("wangwu", allowed(&[], &[], &[8, 7]), true),
            ("zhangsan", allowed(&[], &[9, 2], &[8]), true),
            ("lisi", allowed(&[], &[9], &[8]), false),
            ("lisi", allowed(&[], &[], &[8]), false),
        ] {
            assert_eq!(may_press(user, &allowed).await, Ok(expected), "{user} {allowed:?}");
        }
    }

    #[tokio::test]
    async fn an_unknown_answer_is_no_permission() {
        assert_eq!(may_press("nobody", &allowed(&[], &[2], &[])).await, Err(rejected(60111)));
        assert_eq!(may_press("zhangsan", &allowed(&[], &[], &[9])).await, Err(rejected(-1)));
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_some_minutes() {
        let (company, sender) = (Company::default(), SenderName("ops".to_owned()));
        let memberships = Memberships::default();
        let allowed = allowed(&[], &[2], &[]);
        for (second, calls) in [(0, 1), (299, 1), (300, 2), (301, 2)] {
            let now = Timestamp::from_second(second).unwrap();
            let answer = memberships.may_press("zhangsan", &allowed, &sender, Some(&company), now).await;
            assert_eq!((answer, company.calls.load(Ordering::Relaxed)), (Ok(true), calls), "{second}");
        }
    }
}
