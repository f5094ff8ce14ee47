//! [`SenderClient`]: the client of an app or of a robot.

use super::{robot::Robot, send::Client};
use crate::wecom::{Message, Outcome, WeCom};

#[derive(Debug, Clone)]
pub enum SenderClient {
    App(Client),
    Robot(Robot),
}

impl WeCom for SenderClient {
    async fn send(&self, message: &Message) -> Outcome {
        match self {
            Self::App(client) => client.send(message).await,
            Self::Robot(robot) => robot.send(message).await,
        }
    }
}
