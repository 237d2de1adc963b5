//! What a person sees who lacks the tools: one sentence, and an exit code that stops a script.

use std::process::Command;

#[test]
fn what_needs_the_tools_of_a_phones_maker_refuses_in_one_sentence() {
    for (command, install) in [("aar", "cargo install cargo-ndk"), ("xcframework", "App Store")] {
        let program = Command::new(env!("CARGO_BIN_EXE_xtask")).arg(command).env("PATH", "").output().unwrap();
        let said = String::from_utf8(program.stderr).unwrap();
        assert!(!program.status.success(), "{command}");
        assert!(said.starts_with(&format!("make {command} needs ")) && said.contains(install), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
