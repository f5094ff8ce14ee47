//! One request to the server of an app.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use tokio::time::timeout;

use super::envelope::EventRequest;
use super::presses::AttemptResult;

pub(super) async fn post(client: &Client, request: &EventRequest, limit: Duration) -> AttemptResult {
    let request = client.post(&request.url).header(CONTENT_TYPE, "text/xml").body(request.body.clone());
    exchange(request, limit).await
}

pub(super) async fn get(client: &Client, url: &str, limit: Duration) -> AttemptResult {
    exchange(client.get(url), limit).await
}

async fn exchange(request: RequestBuilder, limit: Duration) -> AttemptResult {
    let answered = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>(AttemptResult::Answered { status, body: response.text().await? })
    };
    match timeout(limit, answered).await {
        Ok(Ok(answer)) => answer,
        // The URL has the signature.
        Ok(Err(error)) => AttemptResult::NoAnswer { reason: error.without_url().to_string() },
        Err(_) => AttemptResult::NoAnswer { reason: format!("no answer within {limit:?}") },
    }
}
