//! `make bench-doors`: the cost of asking Latchkey about every request of a proxy.
//!
//! nginx, as the recipe in `docs/forward-auth/nginx` has it, stands in front of a small file. The
//! same nginx serves the file without a door, with a door of Latchkey's, with one of bare axum's
//! that answers the same bytes, and with doors of what others check keys with. Latchkey and bare
//! axum are also called directly. 32 connections go from one to the next every two seconds. Every
//! response is validated. Load generator, nginx and servers share the machine's cores.
//!
//! Where wrk is installed, it then loads all but the others' doors in the same way.
//!
//! Usage, in the root of the checkout: `bench-doors PATH-OF-LATCHKEY`

mod bare;
mod door;
mod nginx;
mod peer;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use latchkey_bench::account::Account;
use latchkey_bench::bare::Bare;
use latchkey_bench::server::Server;
use latchkey_bench::side::{paired_ratio, table};
use latchkey_bench::{report, wrk};
use serde_json::json;

use door::{Answer, Door};
use nginx::{Asked, Nginx};
use peer::Peer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 1_000;
const ROUNDS: usize = 9;
/// Where bare axum is asked, as Latchkey is.
const CHECK: &str = "/v1/check/{id}";

const OPEN: &str = "nginx alone";
const OURS: &str = "nginx, latchkey";
const BARE: &str = "nginx, bare axum";
const BETTER_AUTH: &str = "nginx, better-auth";
const DRF: &str = "nginx, drf-api-key";
const OURS_DIRECT: &str = "latchkey, direct";
const BARE_DIRECT: &str = "bare axum, direct";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let argument = std::env::args_os().nth(1);
    if let Some(head) =
        argument.as_ref().filter(|word| *word == "bare").and(std::env::args().nth(2))
    {
        return bare::serve(&head);
    }
    let binary = argument.map(PathBuf::from).context("usage: bench-doors PATH-OF-LATCHKEY")?;
    compare(&binary).await
}

async fn compare(binary: &Path) -> anyhow::Result<()> {
    report::machine();
    let server = Server::start(binary, &[]).await?;
    let account = Account::sign_in(&server).await?;
    report::say(&format!("making {KEYS} keys"));
    let mut keys = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        keys.push(account.key(&json!({"name": format!("key {number:04}")})).await?);
    }
    let path = format!("/v1/check/{}", account.project());
    let head = allowed(&format!("{}{path}", server.url()), &keys[0]).await?;
    let bare = Bare::start(&["bare", &head])?;
    let bares = allowed(&format!("http://{}{path}", bare.address), &keys[0]).await?;
    ensure!(bares.len() == head.len(), "bare axum answers {bares}, and not {head}");
    let (better_auth, drf) = (Peer::better_auth().await?, Peer::drf_api_key().await?);

    let asked = [
        Asked { name: "ours", address: server.address, path: &path },
        Asked { name: "bare", address: bare.address, path: &path },
        Asked { name: "better_auth", address: better_auth.address, path: "/" },
        Asked { name: "drf", address: drf.address, path: "/" },
    ];
    let nginx = Nginx::start(&asked).await?;
    let file = |name, door: usize, pid, keys: &[String]| {
        Door::new(name, nginx.doors[door], (nginx::PATH, Answer::File), pid, keys)
    };
    let direct =
        |name, address, pid| Door::new(name, address, (path.as_str(), Answer::Nothing), pid, &keys);
    let mut doors = [
        Door::new(OPEN, nginx.open, (nginx::PATH, Answer::File), nginx.pid(), &keys),
        file(OURS, 0, server.pid(), &keys),
        file(BARE, 1, bare.pid(), &keys),
        direct(OURS_DIRECT, server.address, server.pid()),
        direct(BARE_DIRECT, bare.address, bare.pid()),
        file(BETTER_AUTH, 2, better_auth.pid(), std::slice::from_ref(&better_auth.key)),
        file(DRF, 3, drf.pid(), std::slice::from_ref(&drf.key)),
    ];
    for door in &doors {
        door.warm_up([OPEN, BARE, BARE_DIRECT].contains(&door.name)).await?;
    }
    measure(&server, &mut doors).await?;
    tell(&doors, "");
    if !wrk::is_installed() {
        report::say("wrk is not installed: nothing is measured by it.");
        return Ok(());
    }
    let [open, ours, bare, ours_direct, bare_direct, ..] = doors;
    let mut doors = [open, ours, bare, ours_direct, bare_direct].map(Door::anew);
    measure_by_wrk(&server, &mut doors).await?;
    tell(&doors, "-by-wrk");
    Ok(())
}

/// The headers with which a check admits a key, a line each.
async fn allowed(url: &str, key: &str) -> anyhow::Result<String> {
    let answer = reqwest::Client::new().get(url).header("x-api-key", key).send().await?;
    let status = answer.status();
    ensure!(status == 200, "a good key is answered with {status}");
    bare::head(answer.headers())
}

async fn measure(server: &Server, doors: &mut [Door]) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        for turn in 0..doors.len() {
            let door = &mut doors[(round + turn) % doors.len()];
            door.round().await?;
            if door.is_ours(server) {
                server.rest().await?;
            }
        }
    }
    Ok(())
}

async fn measure_by_wrk(server: &Server, doors: &mut [Door]) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        for turn in 0..doors.len() {
            let door = &mut doors[(round + turn) % doors.len()];
            door.wrk_round()?;
            if door.is_ours(server) {
                server.rest().await?;
            }
        }
    }
    Ok(())
}

/// Prints the doors and their ratios. `by` ends the names of the ratios.
fn tell(doors: &[Door], by: &str) {
    table(&doors.iter().map(|door| door.side.row(door.name)).collect::<Vec<_>>());
    report::say(
        "The server’s CPU is that of what is asked, with its processes; in the first row it is nginx’s. The load generator, \
         one thread, has the same cores.",
    );
    let side = |name: &str| doors.iter().find(|door| door.name == name).map(|door| &door.side);
    let throughput = |name: &str, one: &str, other: &str| {
        if let (Some(one), Some(other)) = (side(one), side(other)) {
            let ratio = paired_ratio(&one.per_second, &other.per_second);
            report::ratio(&format!("{name}{by}"), ratio);
        }
    };
    let cpu = |name: &str, one: &str, other: &str| {
        if let (Some(one), Some(other)) = (side(one), side(other)) {
            report::ratio(&format!("{name}{by}"), paired_ratio(&one.cpu, &other.cpu));
        }
    };
    throughput("nginx-auth-request-throughput", OURS, OPEN);
    throughput("forward-auth-throughput", OURS, BARE);
    cpu("forward-auth-cpu", OURS, BARE);
    throughput("forward-auth-direct-throughput", OURS_DIRECT, BARE_DIRECT);
    cpu("forward-auth-direct-cpu", OURS_DIRECT, BARE_DIRECT);
    throughput("forward-auth-beside-better-auth", OURS, BETTER_AUTH);
    throughput("forward-auth-beside-drf-api-key", OURS, DRF);
    cpu("forward-auth-cpu-of-better-auth", BETTER_AUTH, OURS);
    cpu("forward-auth-cpu-of-drf-api-key", DRF, OURS);
}
