//! `latchkey projects`.

use reqwest::Method;

use crate::args::{CreateProject, ProjectsCommand};
use crate::client::{Client, Context, Sent};
use crate::failure::{Done, Failure};
use crate::lists::{self, List};
use crate::request::Request;
use crate::table::{Column, cut, whole};
use crate::terminal::Screen;

const COLUMNS: &[Column] = &[
    whole("id"),
    cut("name"),
    whole("key_prefix"),
    whole("keys_used"),
    whole("keys_limit"),
    whole("tier"),
    whole("created_at"),
];

pub(crate) async fn run(command: ProjectsCommand, context: Context, screen: Screen) -> Done {
    match command {
        ProjectsCommand::List(asked) => {
            let client = Client::new(&asked.remote, context)?;
            let list = List {
                path: format!("/v1/organizations/{}/projects", asked.organization),
                filters: Vec::new(),
                columns: COLUMNS,
                none: "No projects.",
            };
            lists::show(&client, screen, asked.paging, &list).await
        }
        ProjectsCommand::Create(project) => {
            let client = Client::new(&project.remote, context)?;
            create(&client, screen, &project).await
        }
    }
}

async fn create(client: &Client, screen: Screen, project: &CreateProject) -> Done {
    let path = format!("/v1/organizations/{}/projects", project.organization);
    let answer = match client.send_once(&Request::new(Method::POST, path).json(project)).await? {
        Sent::Answer(answer) => client.accepted(answer)?,
        Sent::Replayed { .. } => {
            return Err(Failure::failed(
                "The project was created, but the connection was lost before its ID arrived. See \
                 latchkey projects list.",
            ));
        }
    };
    lists::show_row(client, screen, COLUMNS, &answer)
}
