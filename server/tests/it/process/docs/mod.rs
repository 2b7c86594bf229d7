//! Every command of the pages for operators, as a newcomer pastes it: each page is one script from
//! top to bottom, in a folder of its own, beside a server that was used a little.
//!
//! A page can have commands that its readers don't see, in a comment `<!-- run: … -->`: what
//! happens meanwhile, such as that the server is stopped (`stop`) or that a key is revoked.

mod blocks;
mod commands;
mod script;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use self::blocks::{blocks, commands_outside};
use self::script::{Script, Values};
use crate::ports::free_port;
use crate::test_app::{LOCAL_CODE, new_postgres_database};

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The folder of the pages for operators.
const OPERATING: &str = "docs/operating";
/// The pages that are run beside those in [`OPERATING`].
const OTHERS: [&str; 2] = ["docs/command-line.md", "docs/moving-in.md"];
/// The beginnings of reasons for which a block may not be run. Who runs it instead follows.
const REASONS: [&str; 10] = [
    "by make ",
    "needs Debian",
    "needs Docker",
    "needs Litestream",
    "needs MongoDB",
    "needs MySQL",
    "needs a PostgreSQL to stop",
    "needs a collector",
    "needs promtool",
    "needs systemd",
];
/// Pages that are run at the same time.
const AT_ONCE: usize = 4;

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages, by their paths from the root.
fn pages() -> Vec<String> {
    let folder = fs::read_dir(Path::new(ROOT).join(OPERATING)).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"));
    let mut pages: Vec<String> = names.map(|name| format!("{OPERATING}/{name}")).collect();
    pages.extend(OTHERS.map(str::to_owned));
    pages.sort();
    pages
}

/// A folder where a page is run, and the addresses of its server.
struct Place {
    folder: TempDir,
    listen: String,
    second: String,
    metrics: String,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        for name in ["bin", "out", "home", "var/lib", "etc/latchkey", "backup", "media/safe"] {
            fs::create_dir_all(path.join(name)).unwrap();
        }
        let links = [
            (PathBuf::from(env!("CARGO_BIN_EXE_latchkey")), "bin/latchkey"),
            (path.join("data"), "var/lib/latchkey"),
        ];
        for (to, name) in links {
            symlink(to, path.join(name)).unwrap();
        }
        let samples = ["rows", "by-hand"];
        let samples = samples.map(|name| read(format!("end2end/moving-in/{name}.ndjson")));
        fs::write(path.join("out/samples.ndjson"), samples.concat()).unwrap();
        fs::write(path.join("out/moving-in.sql"), include_str!("moving-in.sql")).unwrap();
        // What a page links to beside it.
        for entry in fs::read_dir(Path::new(ROOT).join(OPERATING)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().extension().is_some_and(|end| end == "sql") {
                fs::copy(entry.path(), path.join(entry.file_name())).unwrap();
            }
        }
        let address = || format!("127.0.0.1:{}", free_port());
        Self { folder, listen: address(), second: address(), metrics: address() }
    }

    /// Runs a script of bash, after the functions that all have.
    fn run(&self, code: &str) -> Output {
        let file = self.folder.path().join("out/script.sh");
        fs::write(&file, format!("{}\n{code}", include_str!("prelude.sh"))).unwrap();
        let bin = self.folder.path().join("bin");
        let system = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/homebrew/bin";
        let mut bash = Command::new("bash");
        bash.arg(file).current_dir(self.folder.path()).stdin(Stdio::null());
        bash.env_clear()
            .env("PATH", format!("{}:{system}", bin.display()))
            .env("HOME", self.folder.path().join("home"))
            .env("LANG", "C.UTF-8")
            .env("LATCHKEY_LISTEN", &self.listen)
            .env("LATCHKEY_METRICS_LISTEN", &self.metrics)
            .env("LATCHKEY_LOCAL_CODE", LOCAL_CODE)
            .env("LATCHKEY_URL", format!("http://{}", self.listen));
        bash.output().unwrap()
    }

    /// Addresses and folders of the pages, as they are here.
    fn values(&self) -> Values {
        let mut values = Values::default();
        let base = format!("http://{}", self.listen);
        for url in ["https://keys.example.com", "https://keys.example", "http://127.0.0.1:3000"] {
            values.add(url, &base);
        }
        values.add("127.0.0.1:3000", &self.listen);
        values.add("127.0.0.1:3001", &self.second);
        values.add("127.0.0.1:9464", &self.metrics);
        values.add("code=CODE", &format!("code={LOCAL_CODE}"));
        for path in ["/var/lib/latchkey", "/etc/latchkey", "/backup/", "/media/safe"] {
            values.add(path, &format!("{}{path}", self.folder.path().display()));
        }
        values
    }
}

/// The installation that each page begins with.
struct Installation {
    place: Place,
    /// Lines of a placeholder, a tab, and what it stands for.
    placeholders: String,
}

impl Installation {
    fn new() -> Self {
        let place = Place::new();
        let made = place.run(include_str!("before.sh"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { place, placeholders: String::from_utf8(made.stdout).unwrap() }
    }

    fn copy_data(&self, to: &Path) {
        fs::DirBuilder::new().mode(0o700).create(to).unwrap();
        for entry in fs::read_dir(self.place.folder.path().join("data")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs a page; what is wrong with it.
fn run_page(page: &str, installation: &Installation, databases: [&str; 2]) -> Vec<String> {
    let place = Place::new();
    let folder = place.folder.path();
    installation.copy_data(&folder.join("data"));
    let mut values = place.values();
    for (written, meant) in ["latchkey", "restored"].into_iter().zip(databases) {
        values.add(&format!("postgres://latchkey:…@db.example.com/{written}"), meant);
    }
    for line in installation.placeholders.lines() {
        let (written, meant) = line.split_once('\t').unwrap();
        values.add(written, meant);
    }
    let text = read(page);
    let script = Script::new(page, &blocks(&text), &values);
    let mut wrong = script.unknown;
    let outside = commands_outside(&text).into_iter();
    wrong.extend(outside.map(|line| format!("{page}:{line}: a command outside of a fence")));
    let refused = |reason: &&String| !REASONS.iter().any(|known| reason.starts_with(known));
    let refused = script.reasons.iter().filter(refused);
    wrong.extend(refused.map(|reason| format!("{page}: not run without a known reason: {reason}")));

    let output = place.run(&format!("serve 'exec latchkey serve'\n{}", script.code));
    if !output.status.success() {
        wrong.push(format!("{page}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    wrong.extend(script.shown.iter().filter_map(|shown| shown.difference(folder, &values)));
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_pages_runs_as_written() {
    let installation = tokio::task::spawn_blocking(Installation::new).await.unwrap();
    let installation = Arc::new(installation);
    let mut wrong = Vec::new();
    for some in pages().chunks(AT_ONCE) {
        let mut runs = Vec::new();
        for page in some {
            let page = page.clone();
            let installation = Arc::clone(&installation);
            let databases = [new_postgres_database().await, new_postgres_database().await];
            runs.push(tokio::task::spawn_blocking(move || {
                run_page(&page, &installation, databases.each_ref().map(String::as_str))
            }));
        }
        for run in runs {
            wrong.extend(run.await.unwrap());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
