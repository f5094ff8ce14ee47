//! `completion`

use std::process::Command;

use super::Place;

#[tokio::test]
async fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Place::of("no configuration").run(&["completion", shell]).await.success();
        for word in ["wecom-relay", "outbox", "--config"] {
            // Fish writes options without their dashes.
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "{word}: {script}");
        }
    }
}

#[tokio::test]
async fn bash_takes_its_script_and_completes() {
    let place = Place::of("");
    let script = place.run(&["completion", "bash"]).await.success();
    let completes = "complete=$(complete -p wecom-relay); complete=${complete#*-F }; COMP_CWORD=1\n\
                     COMP_WORDS=(wecom-relay hea); ${complete%% *} wecom-relay hea wecom-relay; echo ${COMPREPLY[@]}";
    let told = Command::new("bash").arg("-c").arg(format!("{script}\n{completes}")).output();
    let told = told.unwrap();
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "health\n", "{:?}", String::from_utf8(told.stderr));
}
