//! The reasons to refuse a callback.

/// The reason why a request is not a callback of WeCom for an app. `Display` says it to operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error(
        "its parameters are missing, repeated or malformed; a request of WeCom has msg_signature, timestamp and nonce"
    )]
    Parameters,
    #[error("its body is not that of a callback; WeCom sends XML with the element Encrypt")]
    Body,
    #[error(
        "its signature is wrong; if WeCom sent it, write the Token of WeCom's console into the callback's token"
    )]
    Signature,
    #[error(
        "it cannot be decrypted; write the EncodingAESKey of WeCom's console into the callback's encoding_aes_key"
    )]
    Encryption,
    #[error("it is for another corp; correct corp_id, or enter the URL in the console of this corp")]
    ReceiveId,
    #[error("its decrypted message is not understood; please report it")]
    Message,
}

impl CallbackError {
    /// The `result` label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Body => "body",
            Self::Signature => "signature",
            Self::Encryption => "encryption",
            Self::ReceiveId => "receive_id",
            Self::Message => "message",
        }
    }
}
