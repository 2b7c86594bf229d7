//! A signed-in user of the server under test, on a tier without limits.

use anyhow::{Context, ensure};
use reqwest::header::{CONTENT_TYPE, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::server::{LOCAL_CODE, Server};

/// A session of the local developer.
pub struct Account {
    client: Client,
    url: String,
    token: String,
    project: String,
    /// Path of its organization.
    organization: String,
}

impl Account {
    /// Signs in.
    ///
    /// # Errors
    /// The server does not respond as its API documents.
    pub async fn sign_in(server: &Server) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        let url = server.url();
        let request = client.post(format!("{url}/auth/local")).header(ORIGIN, &url);
        let answer = request.json(&json!({ "code": LOCAL_CODE })).send().await?;
        let cookies = answer.headers().get_all(SET_COOKIE).iter();
        let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
        let cookie = cookies.find_map(|cookie| cookie.strip_prefix("latchkey_refresh="));
        let cookie = cookie.context("signing in sets no cookie")?;
        let refresh_token = cookie.split(';').next().unwrap_or_default();
        let (project, organization) = (String::new(), String::new());
        let mut account = Self { client, url, token: String::new(), project, organization };
        let body = json!({ "refreshToken": refresh_token });
        account.token = text(&account.call(Method::POST, "/refresh", &body).await?["token"])?;
        let me = account.call(Method::GET, "/v1/me", &Value::Null).await?;
        let organization = text(&me["organizations"][0]["id"])?;
        let organization = format!("/v1/organizations/{organization}");
        account.call(Method::PATCH, &organization, &json!({ "tier": "enterprise" })).await?;
        let projects = format!("{organization}/projects");
        let projects = account.call(Method::GET, &projects, &Value::Null).await?;
        account.project = text(&projects["data"][0]["id"])?;
        account.organization = organization;
        Ok(account)
    }

    /// ID of the project that keys are created in.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Creates an inference key from an API body and returns its secret.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn inference_key(&self, body: &Value) -> anyhow::Result<String> {
        let path = format!("/v1/projects/{}/inference/keys", self.project);
        text(&self.call(Method::POST, &path, body).await?["key"])
    }

    /// As [`Self::inference_key`], but returns the key's id and its secret.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn inference_key_with_id(&self, body: &Value) -> anyhow::Result<(String, String)> {
        let path = format!("/v1/projects/{}/inference/keys", self.project);
        let created = self.call(Method::POST, &path, body).await?;
        Ok((text(&created["api_key"]["id"])?, text(&created["key"])?))
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn revoke(&self, id: &str) -> anyhow::Result<()> {
        let request = self.client.delete(format!("{}/v1/keys/{id}", self.url));
        request.bearer_auth(&self.token).send().await?.error_for_status()?;
        Ok(())
    }

    /// Changes a key as an API body says.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn change(&self, id: &str, body: &Value) -> anyhow::Result<()> {
        let request = self.client.patch(format!("{}/v1/keys/{id}", self.url));
        let answer = request.bearer_auth(&self.token).json(body).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    /// Changes the organization as an API body says.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn change_organization(&self, body: &Value) -> anyhow::Result<()> {
        self.call(Method::PATCH, &self.organization, body).await.map(drop)
    }

    /// Creates a key of any kind from an API body and returns its secret.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn key(&self, body: &Value) -> anyhow::Result<String> {
        let path = format!("/v1/projects/{}/keys", self.project);
        text(&self.call(Method::POST, &path, body).await?["key"])
    }

    /// Registers what imported keys look like.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn register_shape(&self, body: &Value) -> anyhow::Result<()> {
        let path = format!("/v1/projects/{}/key-shapes", self.project);
        self.call(Method::POST, &path, body).await.map(drop)
    }

    /// Imports keys from lines of JSON.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn import(&self, lines: String) -> anyhow::Result<()> {
        let request =
            self.client.post(format!("{}/v1/projects/{}/keys/import", self.url, self.project));
        let request = request.bearer_auth(&self.token).header(CONTENT_TYPE, "application/x-ndjson");
        let answer = request.body(lines).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "the import: {status} {text:.1000}");
        Ok(())
    }

    /// Revokes a key and returns the status of the response.
    ///
    /// # Errors
    /// There is no response.
    pub async fn try_revoke(&self, id: &str) -> anyhow::Result<u16> {
        let request = self.client.delete(format!("{}/v1/keys/{id}", self.url));
        Ok(request.bearer_auth(&self.token).send().await?.status().as_u16())
    }

    /// Creates an organization on the Free tier with a test key. Returns an application's id and
    /// the key's secret.
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn free_test_key(&self) -> anyhow::Result<(String, String)> {
        let named = |name| json!({ "name": name });
        let make = async |path: String, body: Value| self.call(Method::POST, &path, &body).await;
        let organization = make("/v1/organizations".to_owned(), named("Free")).await?;
        let projects = format!("/v1/organizations/{}/projects", text(&organization["id"])?);
        let project = text(&make(projects, named("Shop")).await?["id"])?;
        let applications = format!("/v1/projects/{project}/applications");
        let application = text(&make(applications, named("Web")).await?["id"])?;
        let body = json!({ "name": "Test", "environment": "test", "application_id": application });
        let key = make(format!("/v1/projects/{project}/keys"), body).await?;
        Ok((application, text(&key["key"])?))
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().context("the API answers in another form")?.to_owned())
}
