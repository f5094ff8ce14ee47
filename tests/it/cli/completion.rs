//! `completion`

use std::process::Command;

use super::Workdir;

#[tokio::test]
async fn every_shell_gets_a_script_with_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Workdir::of("no configuration").run(&["completion", shell]).await.success();
        for word in ["wecom-relay", "outbox", "--config"] {
            // Fish writes options without their dashes.
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "{word}: {script}");
        }
    }
}

#[tokio::test]
async fn bash_completes_with_its_script() {
    let workdir = Workdir::of("");
    let script = workdir.run(&["completion", "bash"]).await.success();
    let completes = "complete=$(complete -p wecom-relay); complete=${complete#*-F }; COMP_CWORD=1\n\
                     COMP_WORDS=(wecom-relay hea); ${complete%% *} wecom-relay hea wecom-relay; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").arg("-c").arg(format!("{script}\n{completes}")).output();
    let output = output.unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "health\n",
        "{:?}",
        String::from_utf8(output.stderr)
    );
}
