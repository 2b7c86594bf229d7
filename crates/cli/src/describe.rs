//! `latchkey completions` and `latchkey man`: what the command line says of itself.

use std::fs;
use std::path::Path;

use clap::Command as Program;
use clap_complete::{generate, shells};
use clap_mangen::Man as Page;

use crate::args::{Completions, Man, Shell};
use crate::failure::{Done, Failure};
use crate::terminal::{print, tell};

/// Name of the binary.
const NAME: &str = "latchkey";

/// Prints the completions for a shell.
///
/// # Errors
/// Standard output can't be written.
pub(crate) fn completions(asked: Completions, mut program: Program) -> Done {
    // They panic if they can't write, and memory always can be written.
    let mut script = Vec::new();
    match asked.shell {
        Shell::Bash => generate(shells::Bash, &mut program, NAME, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut program, NAME, &mut script),
        Shell::Fish => generate(shells::Fish, &mut program, NAME, &mut script),
    }
    print(&script)
}

/// Prints a manual page, or writes all of them to a directory.
///
/// # Errors
/// There is no such command, or the pages can't be written.
pub(crate) fn manual(asked: &Man, program: Program) -> Done {
    if let Some(folder) = &asked.to {
        return write_pages(folder, program);
    }
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut command = &program;
    for name in &asked.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            let names = asked.command.join(" ");
            Failure::usage(format!("There is no command “{names}”. See latchkey --help."))
        })?;
    }
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page)?;
    print(&page)
}

fn write_pages(folder: &Path, program: Program) -> Done {
    let unwritten =
        |error| Failure::failed(format!("Cannot write the pages to {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(unwritten)?;
    clap_mangen::generate_to(program, folder).map_err(unwritten)?;
    tell(&format!("Wrote the manual pages to {}.", folder.display()));
    Ok(())
}
