//! A server on a loopback port, and a small client that says exactly what a test tells it to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use turnstone_protocol::{DeviceId, Incarnation};
use turnstone_server::{Config, Server, token};

use super::{NOW_MS, key, schema};

/// A running server.
pub struct Running {
    pub addr: SocketAddr,
    pub folder: TempDir,
    pub client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Running {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::over(TempDir::new().unwrap(), change).await
    }

    #[expect(clippy::disallowed_methods, reason = "the server runs beside its test")]
    pub async fn over(folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(folder.path().join("server.db"), schema(), key());
        config.clock = turnstone_server::Clock::from_fn(|| NOW_MS);
        change(&mut config);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        let addr = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            server.run(async { stopped.await.unwrap_or(()) }).await.unwrap();
        });
        // Plain HTTP needs none, but the client wants to know which one it would use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        Self { addr, folder, client, stop: Some(stop), running: Some(running) }
    }

    /// Stops it and gives its folder back.
    pub async fn stop(mut self) -> TempDir {
        self.stop.take().map(|stop| stop.send(()));
        self.running.take().unwrap().await.unwrap();
        self.folder
    }

    /// Asks it to stop and does not wait.
    pub fn ask_to_stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("server.db")
    }

    pub async fn post(&self, path: &str, token: &str, body: &Json) -> Response {
        self.client
            .post(self.url(path))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap()
    }
}

/// A token of somebody of a tenant, good for an hour.
pub fn token_of(tenant: &str) -> String {
    token::mint(&key(), tenant, "somebody", None, 3600, NOW_MS).unwrap()
}

pub fn push_body(device: u128, groups: &[Json]) -> Json {
    json!({
        "device": DeviceId::from_random(device),
        "incarnation": Incarnation::from_random(device),
        "schema": 1,
        "groups": groups,
    })
}

pub fn pull_body(device: u128, cursor: Option<&str>) -> Json {
    let mut body = json!({
        "device": DeviceId::from_random(device),
        "incarnation": Incarnation::from_random(device),
        "schema": 1,
    });
    if let Some(cursor) = cursor {
        body["cursor"] = json!(cursor);
    }
    body
}

/// Status, code and body of a problem document.
pub async fn problem(response: Response) -> (u16, String, Json) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json");
    let body: Json = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["status"], json!(status));
    (status, body["code"].as_str().unwrap().to_owned(), body)
}

pub async fn answer(response: Response) -> Json {
    assert_eq!(response.status().as_u16(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}
