//! Removes secrets from the texts of a reply, and cuts them. The cut comes last, because half of a secret is not found.

use crate::{
    secret::Secret,
    text::prefix,
    wecom::{InvalidRecipients, Receipt, endpoint::ProxyUrl, token::Token},
};

/// The maximum number of bytes that are kept of an `errmsg` and of the details of a transport error.
const MAX_DETAIL_BYTES: usize = 500;
/// The maximum number of bytes that are kept of a `msgid` or `response_code`. WeCom's have about 100.
const MAX_CODE_BYTES: usize = 512;
/// The maximum number of bytes that are kept of the id of an invalid recipient. WeCom's have 64.
const MAX_ID_BYTES: usize = 128;

/// The secrets of a sender.
#[derive(Debug)]
pub(super) struct Redactor(Vec<Secret>);

impl Redactor {
    pub(super) fn new(secret: &Secret, proxy_url: Option<&ProxyUrl>) -> Self {
        Self([Some(secret.clone()), proxy_url.and_then(ProxyUrl::password)].into_iter().flatten().collect())
    }

    /// An `errmsg` or another detail.
    pub(super) fn detail(&self, text: &str, token: Option<&Token>) -> String {
        self.clean(text, token, MAX_DETAIL_BYTES)
    }

    /// A receipt. A gateway may write the URL of the request into any of its fields.
    pub(super) fn receipt(&self, receipt: Receipt, token: Option<&Token>) -> Receipt {
        let Receipt { msgid, response_code, invalid } = receipt;
        let InvalidRecipients { users, parties, tags, unlicensed } = invalid;
        Receipt {
            msgid: self.clean(&msgid, token, MAX_CODE_BYTES),
            response_code: self.clean(&response_code, token, MAX_CODE_BYTES),
            invalid: InvalidRecipients {
                users: self.ids(&users, token),
                parties: self.ids(&parties, token),
                tags: self.ids(&tags, token),
                unlicensed: self.ids(&unlicensed, token),
            },
        }
    }

    fn ids(&self, ids: &[String], token: Option<&Token>) -> Vec<String> {
        ids.iter().map(|id| self.clean(id, token, MAX_ID_BYTES)).collect()
    }

    fn clean(&self, text: &str, token: Option<&Token>, max_bytes: usize) -> String {
        let secrets = self.0.iter().chain(token.map(Token::secret));
        let clean = secrets.fold(text.to_owned(), |text, secret| secret.hide_in(&text));
        prefix(&clean, max_bytes).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&Secret::new("verysecret0123456789"), None)
    }

    #[test]
    fn a_secret_at_the_cut_is_not_kept_in_part() {
        for filled in MAX_DETAIL_BYTES - 20..=MAX_DETAIL_BYTES {
            let kept = redactor().detail(&format!("{}verysecret0123456789", "x".repeat(filled)), None);
            assert!(kept.len() <= MAX_DETAIL_BYTES);
            assert!(!kept.contains("xv"), "{filled}: {kept}");
        }
    }

    #[test]
    fn values_of_a_receipt_that_are_too_long_are_cut() {
        let long = "告".repeat(20_000);
        assert_eq!(redactor().clean(&long, None, MAX_CODE_BYTES).len(), 510);
        assert_eq!(redactor().clean(&long, None, MAX_ID_BYTES).len(), 126);
    }
}
