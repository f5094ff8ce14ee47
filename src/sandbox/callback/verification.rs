//! The verification of a URL, as WeCom makes it when an administrator saves the callback.

use super::envelope::VerificationRequest;
use super::exchange;
use super::presses::AttemptResult;
use super::registry::Callback;
use crate::sandbox::instance::Sandbox;

/// The server did not pass the verification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    #[error("there is no app {agent_id} in the directory")]
    NoApp { agent_id: u64 },
    #[error("this sandbox cannot make requests, because its program gave it no client")]
    NoClient,
    #[error("the server did not answer: {reason}")]
    NoAnswer { reason: String },
    #[error("the server answered with status {status} instead of 200: {body}")]
    Status { status: u16, body: String },
    #[error("the server answered {body:?} instead of the decrypted text {expected:?}")]
    WrongText { body: String, expected: String },
}

impl Sandbox {
    /// Sets the callback of an app without a look at its server, which may start later.
    ///
    /// # Errors
    /// The directory has no such app.
    pub fn set_callback(&self, agent_id: u64, callback: Callback) -> Result<(), VerificationError> {
        let corp_id = self.corp_of(agent_id)?;
        self.change(|state| state.callbacks.set(&corp_id, agent_id, callback));
        Ok(())
    }

    /// Sets the callback of an app after its server has passed WeCom's verification.
    ///
    /// # Errors
    /// The server did not decrypt a text within a second. Then nothing is changed.
    pub async fn save_callback(&self, agent_id: u64, callback: Callback) -> Result<(), VerificationError> {
        let corp_id = self.corp_of(agent_id)?;
        let client = self.client().ok_or(VerificationError::NoClient)?;
        let (now, limit) = (self.now(), self.settings().callbacks.verification);
        let request = self.change(|state| VerificationRequest::new(&callback, &corp_id, now, &mut state.rng));
        let VerificationRequest { url, expected } = request;
        match exchange::get(&client, &url, limit).await {
            AttemptResult::Answered { status: 200, body } if body == expected => {}
            AttemptResult::Answered { status: 200, body } => {
                return Err(VerificationError::WrongText { body, expected });
            }
            AttemptResult::Answered { status, body } => {
                return Err(VerificationError::Status { status, body });
            }
            AttemptResult::Lost { .. } => {}
            AttemptResult::NoAnswer { reason } => return Err(VerificationError::NoAnswer { reason }),
        }
        self.change(|state| state.callbacks.set(&corp_id, agent_id, callback));
        Ok(())
    }

    fn corp_of(&self, agent_id: u64) -> Result<String, VerificationError> {
        let state = self.state();
        let corp = state.directory.corps.iter().find(|corp| corp.app(agent_id).is_some());
        corp.map(|corp| corp.corp_id.clone()).ok_or(VerificationError::NoApp { agent_id })
    }
}
