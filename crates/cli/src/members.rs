//! `latchkey members`.

use latchkey_domain::id::UserId;
use latchkey_domain::login::GithubLogin;
use reqwest::Method;

use crate::args::{InviteMember, MembersCommand, RemoveMember};
use crate::client::{Client, Context, Sent};
use crate::failure::{Done, Exit, Failure};
use crate::lists::{self, List};
use crate::request::Request;
use crate::table::{Column, cut, whole};
use crate::terminal::{Screen, tell};

const COLUMNS: &[Column] = &[
    whole("user_id"),
    whole("login"),
    whole("role"),
    whole("invited"),
    cut("name"),
    whole("created_at"),
];

pub(crate) async fn run(command: MembersCommand, context: Context, screen: Screen) -> Done {
    match command {
        MembersCommand::List(asked) => {
            let client = Client::new(&asked.remote, context)?;
            let list = List {
                path: format!("/v1/organizations/{}/members", asked.organization),
                filters: Vec::new(),
                columns: COLUMNS,
                none: "No members.",
            };
            lists::show(&client, screen, asked.paging, &list).await
        }
        MembersCommand::Invite(invitation) => {
            let client = Client::new(&invitation.remote, context)?;
            invite(&client, screen, &invitation).await
        }
        MembersCommand::Remove(removal) => {
            let client = Client::new(&removal.remote, context)?;
            remove(&client, &removal).await
        }
    }
}

async fn invite(client: &Client, screen: Screen, invitation: &InviteMember) -> Done {
    let path = format!("/v1/organizations/{}/members", invitation.organization);
    let request = Request::new(Method::POST, path).json(invitation);
    let answer = match client.send_once(&request).await? {
        Sent::Answer(answer) => client.accepted(answer)?,
        // The answer would have said nothing else.
        Sent::Replayed { .. } => {
            tell(&format!("Invited {}.", invitation.login));
            return Ok(());
        }
    };
    lists::show_row(client, screen, COLUMNS, &answer)
}

async fn remove(client: &Client, removal: &RemoveMember) -> Done {
    let organization = format!("/v1/organizations/{}", removal.organization);
    let member = &removal.member;
    let path = match member.parse::<UserId>() {
        Ok(user) => format!("{organization}/members/{user}"),
        Err(_) => path_of_login(client, &organization, member).await?,
    };
    client.send(&Request::new(Method::DELETE, path)).await?;
    tell(&format!("Removed {member}."));
    Ok(())
}

/// The path of the member, or of the invitation, that has this login.
async fn path_of_login(client: &Client, organization: &str, text: &str) -> Result<String, Failure> {
    let login: GithubLogin = text.parse().map_err(|_| {
        Failure::usage(format!("{text} is neither the ID of a user (usr_…) nor a GitHub login."))
    })?;
    let members = format!("{organization}/members");
    let found =
        lists::find(client, &members, |row| row.text("login").eq_ignore_ascii_case(login.as_str()));
    let found = found.await?.ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("Nobody called {login} is a member or invited."))
    })?;
    let user = found.text("user_id");
    if user.is_empty() {
        return Ok(format!("{organization}/invitations/{}", found.text("login")));
    }
    Ok(format!("{members}/{user}"))
}
