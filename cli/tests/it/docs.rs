//! `docs/cli.md` names every command, option and exit code there is.

use clap::{Command, CommandFactory};
use turnstone_cli::command::Cli;
use turnstone_cli::exit::Exit;

const PAGE: &str = include_str!("../../../docs/cli.md");

fn walk(command: &Command, path: &str, missing: &mut Vec<String>) {
    for option in
        command.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| *name != "help" && *name != "version")
    {
        if !PAGE.contains(&format!("--{option}")) {
            missing.push(format!("{path} --{option}"));
        }
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let path = format!("{path} {}", sub.get_name());
        if !PAGE.contains(&path) {
            missing.push(path.clone());
        }
        walk(sub, &path, missing);
    }
}

#[test]
fn the_page_names_every_command_and_option() {
    let mut missing = Vec::new();
    walk(&Cli::command(), "turnstone", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_page_and_the_help_name_every_exit_code() {
    let help = Cli::command().render_long_help().to_string();
    for (exit, meaning) in Exit::ALL {
        let number = exit.number();
        assert!(PAGE.contains(&format!("| {number} | {meaning}")), "{number} {meaning}");
        assert!(
            help.contains(&format!(
                "{number} {}",
                meaning.replace("offline, or", "offline or").replace("conflict, or", "conflict or")
            )),
            "{number}"
        );
    }
}
