//! Every command explains itself.
#![cfg(test)]

use std::process::{Command, Output};

fn reflexctl(arguments: &[&str]) -> Output {
    let mut reflexctl = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
    // Neither the reader's environment nor their running suite decides.
    let inherited = ["REFLEX_SERVER", "REFLEX_NOTIFICATIONS", "REFLEX_TOKEN", "REFLEX_TENANT"];
    for variable in inherited {
        reflexctl.env_remove(variable);
    }
    reflexctl
        .env("REFLEX_DATA_DIR", "/nonexistent")
        .args(arguments)
        .output()
        .unwrap()
}

/// Every command that does something.
const COMMANDS: &[&[&str]] = &[
    &["apply"],
    &["export"],
    &["leads", "capture"],
    &["leads", "import"],
    &["leads", "duplicates"],
    &["leads", "check"],
    &["leads", "validity"],
    &["leads", "list"],
    &["leads", "watch"],
    &["leads", "show"],
    &["leads", "explain"],
    &["leads", "why-not"],
    &["leads", "pick"],
    &["leads", "tag"],
    &["leads", "untag"],
    &["leads", "progress"],
    &["leads", "fact"],
    &["leads", "merge"],
    &["leads", "unmerge"],
    &["leads", "merges"],
    &["leads", "imports", "list"],
    &["leads", "imports", "show"],
    &["leads", "imports", "cancel"],
    &["leads", "imports", "undo"],
    &["leads", "ownership"],
    &["leads", "dispute", "open"],
    &["leads", "dispute", "decide"],
    &["leads", "dispute", "show"],
    &["leads", "dispute", "list"],
    &["claim"],
    &["release"],
    &["followup", "record"],
    &["followup", "list"],
    &["followup", "acknowledge"],
    &["members", "list"],
    &["routing", "versions"],
    &["routing", "activations"],
    &["routing", "show"],
    &["routing", "diff"],
    &["routing", "check"],
    &["routing", "put"],
    &["routing", "activate"],
    &["routing", "simulate"],
    &["routing", "table", "export"],
    &["routing", "table", "import"],
    &["customers", "get"],
    &["customers", "put"],
    &["customers", "list"],
    &["customers", "relations"],
    &["industries", "import"],
    &["industries", "list"],
    &["industries", "versions"],
    &["industries", "map"],
    &["channels", "report"],
    &["channels", "costs"],
    &["channels", "cost"],
    &["channels", "order"],
    &["decision-map", "show"],
    &["decision-map", "put"],
    &["decision-map", "overdue"],
    &["accounts", "list"],
    &["fields", "list"],
    &["fields", "preview"],
    &["fields", "put"],
    &["fields", "delete"],
    &["gate", "evaluate"],
    &["gate", "explain"],
    &["gate", "import"],
    &["gate", "imports"],
    &["gate", "undo"],
    &["leads", "correct"],
    &["leads", "corrections"],
    &["nurture", "list"],
    &["nurture", "return"],
    &["nurture", "send"],
    &["subscriptions", "delete"],
    &["subscriptions", "deliveries"],
    &["subscriptions", "get"],
    &["subscriptions", "list"],
    &["subscriptions", "pause"],
    &["subscriptions", "put"],
    &["subscriptions", "replay"],
    &["subscriptions", "resume"],
    &["subscriptions", "retry"],
    &["subscriptions", "rotate"],
    &["subscriptions", "test"],
    &["tags", "rules"],
    &["tags", "progress"],
    &["inbox", "list"],
    &["inbox", "watch"],
    &["inbox", "read"],
    &["messages", "link"],
    &["messages", "list"],
    &["messages", "show"],
    &["notifications", "bounce"],
    &["notifications", "channels"],
    &["notifications", "decrypt"],
    &["notifications", "encrypt"],
    &["notifications", "kinds"],
    &["notifications", "ledger"],
    &["notifications", "quotas"],
    &["notifications", "sign"],
    &["notifications", "template", "list"],
    &["notifications", "template", "preview"],
    &["notifications", "template", "show"],
    &["notifications", "template", "versions"],
    &["notifications", "verify"],
    &["privacy", "find"],
    &["privacy", "export"],
    &["privacy", "erase"],
    &["privacy", "certificate"],
    &["duplicates", "list"],
    &["duplicates", "show"],
    &["duplicates", "decide"],
    &["dlq", "list"],
    &["dlq", "show"],
    &["dlq", "replay"],
    &["dlq", "drop"],
    &["calendar", "due"],
    &["calendar", "elapsed"],
    &["expr", "check"],
    &["expr", "eval"],
    &["expr", "print"],
    &["webhooks", "check"],
    &["webhooks", "send"],
    &["token"],
    &["keys", "generate"],
];

#[test]
fn every_command_has_help_with_an_example() {
    for command in COMMANDS {
        let output = reflexctl(&[command, &["--help"][..]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Example"), "{command:?} has no example:\n{help}");
        assert!(
            help.contains(&format!("reflexctl {}", command.join(" "))),
            "{command:?} shows another command"
        );
        assert!(help.contains("--output"), "{command:?}");
    }
}

#[test]
fn the_commands_are_all_there_are() {
    let mut found = Vec::new();
    let mut open: Vec<Vec<String>> = subcommands(&[]).into_iter().map(|top| vec![top]).collect();
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let below = subcommands(&words);
        if below.is_empty() {
            found.push(path.join(" "));
        }
        open.extend(below.into_iter().map(|name| [path.clone(), vec![name]].concat()));
    }
    let mut known: Vec<String> = COMMANDS.iter().map(|command| command.join(" ")).collect();
    known.sort();
    found.sort();
    assert_eq!(found, known);
}

fn subcommands(path: &[&str]) -> Vec<String> {
    let help = String::from_utf8(reflexctl(&[path, &["-h"]].concat()).stdout).unwrap();
    let listed = help.split_once("Commands:\n").map_or("", |(_, behind)| behind);
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    lines
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn wrong_usage_exits_2_and_failure_1() {
    for wrong in [
        &[][..],
        &["leads"],
        &["leads", "capture"],
        &["leads", "list", "--state", "lost"],
        &["apply", "-f"],
        &["nonsense"],
    ] {
        assert_eq!(reflexctl(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let nowhere = reflexctl(&["leads", "list"]);
    let error = String::from_utf8(nowhere.stderr).unwrap();
    assert_eq!(nowhere.status.code(), Some(1), "{error}");
    assert!(
        error.starts_with("error: no address of the leads service: start everything with `make up`"),
        "{error}"
    );

    let deaf = reflexctl(&["leads", "list", "--server", "http://127.0.0.1:1", "--tenant", "a"]);
    let error = String::from_utf8(deaf.stderr).unwrap();
    assert_eq!(deaf.status.code(), Some(1), "{error}");
    assert!(
        error.contains("http://127.0.0.1:1 (`make up` starts everything): the server cannot be reached: "),
        "{error}"
    );
}
