//! The [`Contacts`] port on top of `user/get`, `department/get` and `tag/get`.

use serde_json::{Map, Value};

use super::send::Client;
use crate::wecom::{Api, Contacts, TagMembers, WecomError, errcode};

impl Contacts for Client {
    async fn departments_of(&self, user: &str) -> Result<Vec<u64>, WecomError> {
        let fields = self.read_renewing(Api::UserGet, ("userid", user)).await?;
        Ok(ids(fields.get("department")))
    }

    async fn parent_of(&self, department: u64) -> Result<Option<u64>, WecomError> {
        let fields = self.read_renewing(Api::DepartmentGet, ("id", &department.to_string())).await?;
        let parent = fields.get("department").and_then(|department| department.get("parentid"));
        Ok(parent.and_then(Value::as_u64).filter(|parent| *parent > 0))
    }

    async fn tag(&self, tag: u64) -> Result<TagMembers, WecomError> {
        let fields = self.read_renewing(Api::TagGet, ("tagid", &tag.to_string())).await?;
        let users = fields.get("userlist").and_then(Value::as_array).into_iter().flatten();
        let users = users.filter_map(|user| user.get("userid")?.as_str()).map(str::to_lowercase);
        Ok(TagMembers { users: users.collect(), departments: ids(fields.get("partylist")) })
    }
}

impl Client {
    /// [`Self::read`] with the cached token, and once more with a renewed one if WeCom refuses it.
    async fn read_renewing(
        &self,
        api: Api,
        parameter: (&str, &str),
    ) -> Result<Map<String, Value>, WecomError> {
        let token = self.token().await?;
        match self.read(&token, api, parameter).await {
            Err(WecomError::Rejected(error)) if errcode::is_token_refused(&error) => {
                self.tokens.refused(&token);
                let token = self.token().await?;
                self.read(&token, api, parameter).await
            }
            result => result,
        }
    }
}

fn ids(list: Option<&Value>) -> Vec<u64> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect()
}
