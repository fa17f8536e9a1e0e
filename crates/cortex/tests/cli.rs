//! The client commands as people and programs use them: the binary against a `cortex dev`.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cli_support;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use cli_support::{Dev, Outcome, bare, type_into};
use serde_json::Value;

fn ok(outcome: &Outcome) -> &str {
    assert_eq!(outcome.status, 0, "{outcome:?}");
    &outcome.stdout
}

fn lines(outcome: &Outcome) -> Vec<Value> {
    ok(outcome).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn accounts_tokens_audit_and_deletions() {
    let dev = Dev::start();
    let made = lines(&dev.run(&["account", "create", "--id", "shop", "--name", "A shop", "--json"]));
    let external_id = made[0]["external_id"].as_str().unwrap().to_owned();
    assert!(ok(&dev.run(&["account", "show", "shop"])).contains(&external_id));
    assert!(ok(&dev.run(&["account", "list"])).contains("A shop"));
    assert_eq!(lines(&dev.run(&["account", "list", "--json"])).len(), 2);

    let rotated = &lines(&dev.run(&["account", "rotate-external-id", "shop", "--json"]))[0];
    assert_eq!(rotated["previous_external_id"], external_id.as_str());
    assert!(ok(&dev.run(&["account", "show", "shop"])).contains("which holds until"));

    let token = ok(&dev.run(&["account", "token", "shop"])).trim().to_owned();
    assert!(token.starts_with("cortex_"), "{token}");
    let made =
        &lines(&dev.run(&["account", "token", "create", "shop", "--read-only", "--name", "ci", "--json"]))[0];
    let token_name = made["account_token"]["name"].as_str().unwrap();
    let file = dev.home.path().join("token");
    std::fs::write(&file, made["token"].as_str().unwrap()).unwrap();
    let as_reader = |command: &[&str]| {
        let mut command = command.to_vec();
        command.extend(["--token-file", file.to_str().unwrap(), "--account", "shop"]);
        dev.run(&command)
    };
    assert_eq!(as_reader(&["source", "list"]).status, 0);
    assert_eq!(as_reader(&["account", "deletions", "add", "u1"]).status, 4, "it may look alone");
    let listed = ok(&dev.run(&["account", "token", "list", "shop"])).to_owned();
    assert!(listed.contains("READ_ONLY") && listed.contains("ci") && !listed.contains("cortex_"), "{listed}");
    ok(&dev.run(&["account", "token", "revoke", token_name]));
    assert_eq!(as_reader(&["source", "list"]).status, 4, "it is revoked");

    std::fs::write(dev.home.path().join("subjects"), "u1\nu2\n").unwrap();
    let of = |what: &str, more: &[&str]| {
        let mut command = vec!["account", "deletions", what, "--account", "shop"];
        command.extend(more);
        dev.run(&command)
    };
    assert!(ok(&of("add", &["u3", "--file", "subjects"])).starts_with("3 of 3"));
    assert_eq!(of("check", &["u1", "u2"]).status, 0);
    let checked = of("check", &["u1", "u9", "--json"]);
    assert_eq!(checked.status, 1, "{checked:?}");
    let json: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&json["deleted_subject_ids"], &json["total"]), (&serde_json::json!(["u1"]), &3.into()));
    assert!(ok(&of("remove", &["u1"])).starts_with("1 of 1"));
    assert_eq!(of("add", &[]).status, 64);

    let audit = lines(&dev.run(&["account", "audit", "shop", "--json"]));
    assert!(audit.iter().any(|entry| entry["action"] == "token.create"), "{audit:?}");
    assert_eq!(ok(&dev.run(&["account", "audit", "shop", "--max", "1"])).lines().count(), 2);
}

#[test]
fn a_source_is_looked_at_by_name_by_id_and_by_display_name() {
    let dev = Dev::start();
    let sources = lines(&dev.run(&["source", "list", "--json"]));
    let name =
        sources.iter().find(|one| one["dataset"] == "DATASET_EVENTS").unwrap()["name"].as_str().unwrap();
    let id = name.rsplit('/').next().unwrap();
    for given in [name, id, "Demo events"] {
        assert_eq!(lines(&dev.run(&["source", "show", given, "--json"]))[0]["name"], name);
    }
    let table = ok(&dev.run(&["source", "list"])).to_owned();
    assert!(
        table.contains("ACTIVE") && table.contains("s3://demo-bucket/events") && !table.contains('\u{1b}')
    );

    let key = "events/2026-11-23/some.csv";
    dev.drop_file(key, "user_id,timestamp,type\nu1,2026-11-23T10:00:00Z,view\n,2026-11-23T10:00:00Z,view\n");
    let files = || lines(&dev.run(&["source", "files", "Demo events", "--json"]));
    dev.until("the file to be read", || {
        files()
            .iter()
            .any(|file| file["object_key"] == key && file["state"] == "FILE_STATE_ACCEPTED_WITH_REJECTIONS")
    });
    assert!(ok(&dev.run(&["source", "files", "Demo events"])).contains(key));
    assert_eq!(lines(&dev.run(&["source", "files", id, "--max", "1", "--json"])).len(), 1);
    let filter = "state = ACCEPTED_WITH_REJECTIONS";
    assert_eq!(lines(&dev.run(&["source", "files", id, "--filter", filter, "--json"])).len(), 1);

    assert_eq!(lines(&dev.run(&["source", "errors", id, key, "--json"]))[0]["column"], "user_id");
    let errors = ok(&dev.run(&["source", "errors", id, key])).to_owned();
    assert!(errors.contains("missing_value") && errors.contains("user_id"), "{errors}");
    dev.until("the samples", || !lines(&dev.run(&["source", "sample", id, "--max", "1"])).is_empty());

    let days =
        lines(&dev.run(&["source", "days", id, "--from", "2026-11-23", "--to", "2026-11-23", "--json"]));
    assert_eq!((&days[0]["date"], &days[0]["rejected"]), (&"2026-11-23".into(), &"1".into()));
    assert!(
        ok(&dev.run(&["source", "days", id, "--from", "2026-11-23", "--to", "2026-11-23"]))
            .contains("STATUS")
    );
    assert!(ok(&dev.run(&["source", "backlog", id])).contains("files"));
    assert_eq!(lines(&dev.run(&["source", "backlog", id, "--json"])).len(), 1);

    let again = lines(&dev.run(&["source", "reprocess", id, key, "--json"]));
    assert_eq!(again[0]["generation"], 2);
    let range = ["--from", "2026-11-01", "--to", "2026-11-02", "--state", "rejected"];
    let mut command = vec!["source", "reprocess", id];
    command.extend(range);
    assert!(ok(&dev.run(&command)).starts_with("0 files are read again"));

    assert!(ok(&dev.run(&["source", "schema", id])).contains("required"));
    assert_eq!(lines(&dev.run(&["source", "schema", id, "--versions", "--json"])).len(), 1);
    let proposed = dev.run(&["source", "schema", id, "--propose", "--key", key, "--file"]);
    let schema: Value = serde_json::from_str(ok(&proposed)).unwrap();
    assert_eq!(schema["dataset"], "EVENTS", "{schema}");
    std::fs::write(dev.home.path().join("schema.json"), ok(&dev.run(&["source", "schema", id, "--file"])))
        .unwrap();
    ok(&dev.run(&["source", "set-schema", id, "schema.json"]));
}

#[test]
fn a_source_is_created_changed_tested_and_ended() {
    let dev = Dev::start();
    let create = |role: &str| {
        let role = format!("arn:aws:iam::111122223333:role/{role}");
        let command = [
            "source",
            "create",
            "--name",
            "Clicks",
            "--dataset",
            "events",
            "--bucket",
            "demo-bucket",
            "--path",
            "events",
            "--overwrite-policy",
            "ingest-again",
            "--max-rejected-percent",
            "60",
            "--json",
            "--role-arn",
            &role,
        ];
        lines(&dev.run(&command)).remove(0)
    };
    let made = create("nobody");
    assert_eq!(
        (&made["overwrite_policy"], &made["max_rejected_percent"]),
        (&"OVERWRITE_POLICY_INGEST_AGAIN".into(), &60.0.into())
    );
    let id = made["name"].as_str().unwrap();

    let failed = dev.run(&["source", "test", id]);
    assert_eq!(failed.status, 1, "{failed:?}");
    assert!(failed.stdout.contains("FAILED") && failed.stdout.contains("The test failed."), "{failed:?}");
    assert_eq!(dev.run(&["source", "activate", id]).status, 5);
    ok(&dev.run(&[
        "source",
        "update",
        id,
        "--role-arn",
        "arn:aws:iam::111122223333:role/cortex-events",
        "--name",
        "Other",
    ]));
    assert_eq!(dev.run(&["source", "update", id]).status, 64, "nothing is changed");
    assert_eq!(dev.run(&["source", "update", id, "--bucket", "Not A Bucket"]).status, 5);
    let steps = lines(&dev.run(&["source", "test", "Other", "--json"]));
    assert_eq!(steps.last().unwrap()["result"]["passed"], true, "{steps:?}");
    assert!(steps.len() > 3);

    dev.drop_file(
        "events/2026-11-23/bad.csv",
        "user_id,timestamp,type\n,2026-11-23,view\nu1,2026-11-23,view\n",
    );
    let look = |more: &[&str]| {
        let mut command = vec!["source", "preview", "Other", "events/2026-11-23/bad.csv"];
        command.extend(more);
        dev.run(&command)
    };
    dev.until("the file to be listed", || look(&[]).stdout.contains("1 accepted, 1 rejected"));
    let preview = look(&["--json"]);
    assert_eq!(preview.status, 1);
    assert_eq!(serde_json::from_str::<Value>(&preview.stdout).unwrap()["rejected"], "1");

    let state = |what: &str| lines(&dev.run(&["source", what, "Other", "--json"]))[0]["state"].clone();
    assert_eq!(state("activate"), "SOURCE_STATE_ACTIVE");
    assert_eq!(state("pause"), "SOURCE_STATE_PAUSED");
    assert_eq!(state("resume"), "SOURCE_STATE_ACTIVE");
    assert!(ok(&dev.run(&["source", "delete", "Other"])).contains("undelete"));
    assert_eq!(lines(&dev.run(&["source", "list", "--deleted", "--json"])).len(), 5);
    assert_eq!(lines(&dev.run(&["source", "list", "--json"])).len(), 4);
    assert_eq!(state("undelete"), "SOURCE_STATE_PAUSED");

    create("cortex-events");
    ok(&dev.run(&["source", "update", id, "--name", "Clicks"]));
    let twice = dev.run(&["source", "show", "Clicks"]);
    assert_eq!(twice.status, 5, "{twice:?}");
    assert!(twice.stderr.contains("2 sources"), "{twice:?}");
}

#[test]
fn each_kind_of_failure_has_its_status() {
    let dev = Dev::start();
    assert_eq!(dev.run(&["account", "show", "nobody"]).status, 3);
    assert_eq!(dev.run(&["source", "show", "no such name"]).status, 3);
    assert_eq!(dev.run(&["source", "show", "accounts/demo/sources/not-an-id"]).status, 5);
    std::fs::write(dev.home.path().join("wrong"), "cortex_wrong").unwrap();
    assert_eq!(dev.run(&["source", "list", "--token-file", "wrong"]).status, 4);
    let lacking = dev.run(&["source", "create", "--name", "x"]);
    assert_eq!(lacking.status, 64);
    assert!(lacking.stderr.contains("--dataset, --bucket"), "{lacking:?}");
    let gone = bare(
        dev.home.path(),
        &["source", "list", "demo", "--registry-url", "http://127.0.0.1:9", "--token-file", "wrong"],
    );
    assert_eq!(gone.status, 6, "{gone:?}");
    assert!(gone.stderr.contains("refused") && gone.stderr.contains("does it run?"), "{gone:?}");
}

#[test]
fn sample_files_and_setup_documents_are_saved_and_never_over_what_is_there() {
    let dev = Dev::start();
    assert!(ok(&dev.run(&["dataset", "list"])).contains("id-mappings"));
    assert_eq!(lines(&dev.run(&["dataset", "list", "--json"])).len(), 4);
    let saved = ok(&dev.run(&["dataset", "sample-file", "events", "--format", "json"])).trim().to_owned();
    assert!(!std::fs::read(dev.home.path().join(&saved)).unwrap().is_empty());
    assert_eq!(dev.run(&["dataset", "sample-file", "events", "--format", "json"]).status, 1, "it is there");
    assert!(ok(&dev.run(&["dataset", "sample-file", "items", "--out", "-"])).contains(','));

    let account = lines(&dev.run(&["account", "show", "--json"])).remove(0);
    let external_id = account["external_id"].as_str().unwrap();
    let trust = dev.run(&["source", "setup", "Demo events", "--document", "trust-policy"]);
    assert!(ok(&trust).contains(external_id), "{trust:?}");
    serde_json::from_str::<Value>(&trust.stdout).unwrap();
    let command = ["source", "setup", "--bucket", "b-1", "--path", "in", "--out", "docs"];
    assert_eq!(ok(&dev.run(&command)).lines().count(), 5);
    assert!(std::fs::read_to_string(dev.home.path().join("docs/cortex-role.tf")).unwrap().contains("b-1"));
    assert!(ok(&dev.run(&["source", "setup", "Demo events"])).contains(external_id));
    assert_eq!(lines(&dev.run(&["source", "setup", "Demo events", "--json"]))[0]["external_id"], external_id);
}

#[test]
fn the_wizard_asks_again_for_what_is_refused_and_makes_the_source_live() {
    let dev = Dev::start();
    let answers = [
        "1",
        "Clicks",
        "events",
        "csv",
        "none",
        "Not A Bucket",
        "events",
        "",
        "demo-bucket",
        "y",
        "docs",
        "",
        "",
        "not an arn",
        "arn:aws:iam::111122223333:role/cortex-items",
        "change",
        "",
        "",
        "arn:aws:iam::111122223333:role/cortex-events",
        "",
        "y",
    ];
    let outcome = dev.answer(&["source", "create", "--interactive", "--json"], &answers);
    let source: Value = serde_json::from_str(ok(&outcome)).unwrap();
    assert_eq!(
        (&source["state"], &source["display_name"]),
        (&"SOURCE_STATE_ACTIVE".into(), &"Clicks".into())
    );
    assert_eq!(source["role_arn"], "arn:aws:iam::111122223333:role/cortex-events");
    let told = &outcome.stderr;
    assert_eq!(told.matches("Not taken: ").count(), 2, "a bucket and a role: {told}");
    for part in ["Step 5 of 5", "user_id", "External ID", "FAILED", "The test passed."] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(
        dev.home.path().join("events.csv").exists()
            && dev.home.path().join("docs/trust-policy.json").exists()
    );

    let short = dev.answer(&["source", "create", "--interactive"], &["1", "Other"]);
    assert_eq!(short.status, 64, "{short:?}");
    assert!(short.stderr.contains("standard input ended"), "{short:?}");
}

#[test]
fn on_a_terminal_create_with_nothing_given_begins_to_ask() {
    let dev = Dev::start();
    let told = type_into(&dev, "source create", "2\nStore\nitems\nnone\n");
    assert!(told.contains("Step 1 of 5") && told.contains("Address of the store"), "{told}");
}

#[test]
fn watch_tells_what_changes_until_it_is_interrupted() {
    let dev = Dev::start();
    let mut child = dev
        .command(&["source", "watch", "Demo items", "--every", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["state"], "ACTIVE", "{first}");
    dev.drop_file("items/2026-11-23/new.csv", "item_id,name\ni1,One\n");
    let is_new = |line: &String| line.contains("items/2026-11-23/new.csv");
    assert!(out.map(Result::unwrap).any(|line| is_new(&line)), "the new file is told");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn profiles_name_registries_and_flags_win_over_them() {
    let dev = Dev::start();
    let endpoints: Value =
        serde_json::from_str(&std::fs::read_to_string(dev.dir.join("endpoints.json")).unwrap()).unwrap();
    let (url, token_file) =
        (endpoints["registry"].as_str().unwrap(), endpoints["admin_token_file"].as_str().unwrap());
    let home = dev.home.path();
    let run = |command: &[&str]| bare(home, command);
    assert_eq!(run(&["source", "list"]).status, 64, "nothing says where the registry is");
    ok(&run(&[
        "profile",
        "set",
        "one",
        "--registry-url",
        url,
        "--token-file",
        token_file,
        "--account",
        "demo",
    ]));
    assert_eq!(lines(&run(&["source", "list", "--json"])).len(), 4, "the first profile is in use at once");
    ok(&run(&["profile", "set", "two", "--registry-url", "http://127.0.0.1:9", "--token-file", token_file]));
    assert_eq!(run(&["source", "list", "demo", "--profile", "two"]).status, 6);
    ok(&run(&["profile", "use", "two"]));
    assert_eq!(run(&["source", "list", "demo"]).status, 6);
    let by_flags = ["source", "list", "demo", "--registry-url", url, "--token-file", token_file];
    assert_eq!(run(&by_flags).status, 0, "flags win");
    assert_eq!(dev.run(&["source", "list"]).status, 0, "--data-dir is a flag");
    assert_eq!(run(&["profile", "use", "three"]).status, 64);
    assert!(ok(&run(&["profile", "list"])).contains("*  two"));
    assert_eq!(lines(&run(&["profile", "show", "one", "--json"]))[0]["account"], "demo");

    let token = std::fs::read_to_string(token_file).unwrap();
    let kept = cli_support::with_input(
        home,
        &["profile", "set", "three", "--registry-url", url, "--token-stdin"],
        &token,
    );
    ok(&kept);
    let config = home.join(".config/cortex/config.toml");
    assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(&["source", "list", "demo", "--profile", "three"]).status, 0);
    for command in
        [&["profile", "list"][..], &["profile", "show", "three"], &["profile", "show", "three", "--json"]]
    {
        assert!(!ok(&run(command)).contains(token.trim()), "a token is not shown");
    }
    // Its token is for its own registry.
    let elsewhere =
        run(&["source", "list", "demo", "--profile", "three", "--registry-url", "http://127.0.0.1:9"]);
    assert!(elsewhere.stderr.contains("--token-file"), "{elsewhere:?}");
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o644)).unwrap();
    let open = run(&["source", "list", "demo", "--profile", "three"]);
    assert_eq!(open.status, 64);
    assert!(open.stderr.contains("chmod 600") && !open.stderr.contains(token.trim()), "{open:?}");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let commands = [
        "source create",
        "source update",
        "source test",
        "source preview",
        "source activate",
        "source pause",
        "source resume",
        "source delete",
        "source undelete",
        "source setup",
        "source files",
        "source errors",
        "source sample",
        "source schema",
        "source set-schema",
        "source reprocess",
        "source days",
        "source backlog",
        "source watch",
        "source list",
        "source show",
        "account create",
        "account show",
        "account list",
        "account rotate-external-id",
        "account token create",
        "account token list",
        "account token revoke",
        "account audit",
        "account deletions add",
        "account deletions remove",
        "account deletions check",
        "dataset list",
        "dataset sample-file",
        "profile list",
        "profile set",
        "profile use",
        "profile show",
        "completions",
        "man",
        "validate",
        "dev",
        "tail",
        "registry",
        "scanner",
        "parser",
        "config",
        "audit",
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bare(dir.path(), &["completions", shell]);
        for command in commands {
            let word = command.rsplit(' ').next().unwrap();
            assert!(ok(&script).contains(word), "{shell}: {command}");
        }
    }
    ok(&bare(dir.path(), &["man", "--out", "man"]));
    for command in commands {
        let path = dir.path().join(format!("man/cortex-{}.1", command.replace(' ', "-")));
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(page.contains("Exit status"), "{command}");
    }
    let page = bare(dir.path(), &["man", "source", "create"]);
    assert!(ok(&page).contains("overwrite\\-policy"), "{page:?}");
    assert_eq!(bare(dir.path(), &["man", "no-such"]).status, 64);
}
