//! A run by its seed: how a command line names it, and the command that shows it again.

use std::process::Command;

/// A run of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The seed.
    pub seed: u64,
    /// How many actions are drawn from it.
    pub steps: usize,
    /// The bug that is planted.
    pub bug: Option<String>,
}

impl Again {
    /// Reads one from arguments; `None`: a number that is none.
    #[must_use]
    pub fn parse(args: &[String]) -> Option<Self> {
        let text = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        let number = |name: &str, usual: u64| text(name).map_or(Some(usual), |text| text.parse().ok());
        let steps = usize::try_from(number("--steps", 300)?).ok()?;
        Some(Self { seed: number("--seed", 1)?, steps, bug: text("--bug").cloned() })
    }

    /// What to type in the repository's folder to see it again, and the commit it was seen at.
    #[must_use]
    pub fn command(&self) -> String {
        let features = if self.bug.is_some() { " --features planted-bugs" } else { "" };
        let bug = self.bug.as_ref().map(|bug| format!(" --bug {bug}")).unwrap_or_default();
        format!(
            "cargo run --locked --profile ci -p turnstone-simulation{features} -- replay --seed {} --steps {}{bug}   # at {}",
            self.seed,
            self.steps,
            commit()
        )
    }
}

/// The commit this is run at, for whoever wants to repeat it.
#[must_use]
pub fn commit() -> String {
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let text = git.ok().filter(|out| out.status.success()).and_then(|out| String::from_utf8(out.stdout).ok());
    text.map_or("an unknown commit".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_is_printed_names_the_run_it_was_made_from() {
        let runs = [
            Again { seed: 36, steps: 300, bug: None },
            Again { seed: u64::MAX, steps: 2_000, bug: Some("RowAndOpApart".to_owned()) },
        ];
        for run in runs {
            let command = run.command();
            let (cargo, args) = command.split_once(" -- ").expect("cargo's arguments and ours");
            assert_eq!(cargo.contains("--features planted-bugs"), run.bug.is_some());
            let (args, at) = args.split_once("   # at ").expect("a commit");
            let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
            assert_eq!((args.first().map(String::as_str), Again::parse(&args)), (Some("replay"), Some(run)));
            assert!(!at.is_empty());
        }
    }

    #[test]
    fn what_is_not_said_is_usual_and_what_is_no_number_is_refused() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(Again::parse(&args("replay --seed 5")), Some(Again { seed: 5, steps: 300, bug: None }));
        assert_eq!(Again::parse(&args("replay --seed five")), None);
    }
}
