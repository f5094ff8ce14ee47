//! The port of an app's contacts (通讯录): which departments and tags a member belongs to.

use super::WecomError;

/// Reads contacts, as far as the app can see them.
pub trait Contacts: Send + Sync + 'static {
    /// The departments that the member is directly in.
    fn departments_of(&self, user: &str) -> impl Future<Output = Result<Vec<u64>, WecomError>> + Send;

    /// The department above. `None` for the root.
    fn parent_of(&self, department: u64) -> impl Future<Output = Result<Option<u64>, WecomError>> + Send;

    fn tag(&self, tag: u64) -> impl Future<Output = Result<TagMembers, WecomError>> + Send;
}

/// The members and departments that have a tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagMembers {
    /// User ids in lower case, because WeCom ignores their case.
    pub users: Vec<String>,
    pub departments: Vec<u64>,
}
