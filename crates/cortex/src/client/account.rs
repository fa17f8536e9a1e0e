//! `cortex account …`

use std::path::Path;

use anyhow::{Context, Result};
use api::registry::{
    Account, AddDeletedSubjectsRequest, AuditEntry, CheckDeletedSubjectsRequest, CreateAccountRequest,
    CreateAccountTokenRequest, GetAccountRequest, ListAccountTokensRequest, ListAccountsRequest,
    ListAuditEntriesRequest, RemoveDeletedSubjectsRequest, RevokeAccountTokenRequest,
    RotateExternalIdRequest, TokenScope,
};
use serde_json::json;

use super::error::refused;
use super::session::Session;
use super::table::{Column, Table, print_fields};
use super::text::{count, time};
use crate::args::{AccountCommand, DeletionsArgs, DeletionsCommand, TokenCommand, TokenCreateArgs};
use crate::{Answer, UsageError, print};

/// Subjects of one call.
const SUBJECTS_A_CALL: usize = 10_000;

/// `cortex account …`
pub(crate) async fn run(command: AccountCommand) -> Result<Answer> {
    match command {
        AccountCommand::Create { id, name, client } => {
            let mut session = Session::open(&client)?;
            let request = CreateAccountRequest { account_id: id, display_name: name, ..Default::default() };
            let made = session.registry.create_account(request).await.map_err(refused)?.into_inner();
            show(&session, made.account)?;
        }
        AccountCommand::Show { id, client } => {
            let mut session = Session::open(&client)?;
            let request = GetAccountRequest { name: session.account(id.as_deref())? };
            let got = session.registry.get_account(request).await.map_err(refused)?.into_inner();
            show(&session, got.account)?;
        }
        AccountCommand::List { client } => list(Session::open(&client)?).await?,
        AccountCommand::RotateExternalId { id, overlap_days, client } => {
            let mut session = Session::open(&client)?;
            let overlap = prost_types::Duration { seconds: overlap_days * 86_400, nanos: 0 };
            let name = session.account(id.as_deref())?;
            let request = RotateExternalIdRequest { name, overlap: Some(overlap) };
            let made = session.registry.rotate_external_id(request).await.map_err(refused)?.into_inner();
            show(&session, made.account)?;
        }
        AccountCommand::Token { command: None, create }
        | AccountCommand::Token { command: Some(TokenCommand::Create(create)), .. } => {
            create_token(create).await?;
        }
        AccountCommand::Token { command: Some(TokenCommand::List { id, client }), .. } => {
            let session = Session::open(&client)?;
            let account = session.account(id.as_deref())?;
            tokens(session, account).await?;
        }
        AccountCommand::Token { command: Some(TokenCommand::Revoke { token, client }), .. } => {
            let mut session = Session::open(&client)?;
            let name = if token.starts_with("accounts/") {
                token
            } else {
                format!("{}/tokens/{token}", session.account(None)?)
            };
            session
                .registry
                .revoke_account_token(RevokeAccountTokenRequest { name })
                .await
                .map_err(refused)?;
        }
        AccountCommand::Audit { id, max, client } => {
            let session = Session::open(&client)?;
            let account = session.account(id.as_deref())?;
            audit(session, account, max).await?;
        }
        AccountCommand::Deletions(command) => return deletions(command).await,
    }
    Ok(Answer::Yes)
}

fn show(session: &Session, account: Option<Account>) -> Result<()> {
    let account = account.context("the registry gave no account")?;
    if session.json {
        print(&api::to_json(&account)?.to_string());
        return Ok(());
    }
    let until = account.previous_external_id_expire_time.as_ref();
    let previous = match account.previous_external_id.as_str() {
        "" => String::new(),
        before => format!("{before}, which holds until {}", time(until)),
    };
    print_fields([
        ("account", account.name.clone()),
        ("name", account.display_name.clone()),
        ("External ID", account.external_id.clone()),
        ("before", previous),
        ("created", time(account.create_time.as_ref())),
    ]);
    Ok(())
}

async fn list(mut session: Session) -> Result<()> {
    let mut table = Table::new(&[
        Column::Text("ACCOUNT"),
        Column::Text("CREATED"),
        Column::Text("EXTERNAL ID"),
        Column::Text("NAME"),
    ]);
    let mut page_token = String::new();
    loop {
        let request = ListAccountsRequest { page_size: 1_000, page_token };
        let page = session.registry.list_accounts(request).await.map_err(refused)?.into_inner();
        for account in page.accounts {
            if session.json {
                print(&api::to_json(&account)?.to_string());
                continue;
            }
            let id = account.name.trim_start_matches("accounts/").to_owned();
            table.row([id, time(account.create_time.as_ref()), account.external_id, account.display_name]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if !session.json {
        table.print("no accounts yet; `cortex account create` makes one");
    }
    Ok(())
}

async fn create_token(args: TokenCreateArgs) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let scope = if args.read_only { TokenScope::ReadOnly } else { TokenScope::ReadWrite };
    let request = CreateAccountTokenRequest {
        name: session.account(args.id.as_deref())?,
        scope: scope as i32,
        display_name: args.name,
        expire_time: args
            .expires
            .map(|at| prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }),
    };
    let made = session.registry.create_account_token(request).await.map_err(refused)?.into_inner();
    if session.json {
        let mut json = json!({ "token": made.token });
        if let Some(token) = &made.account_token {
            json["account_token"] = api::to_json(token)?;
        }
        print(&json.to_string());
    } else {
        print(&made.token);
    }
    Ok(())
}

async fn tokens(mut session: Session, account: String) -> Result<()> {
    let request = ListAccountTokensRequest { parent: account };
    let listed = session.registry.list_account_tokens(request).await.map_err(refused)?.into_inner();
    let mut table = Table::new(&[
        Column::Text("TOKEN"),
        Column::Text("SCOPE"),
        Column::Text("CREATED"),
        Column::Text("ENDS"),
        Column::Text("NAME"),
    ]);
    for token in listed.account_tokens {
        if session.json {
            print(&api::to_json(&token)?.to_string());
            continue;
        }
        let scope = token.scope().as_str_name().trim_start_matches("TOKEN_SCOPE_").to_owned();
        let ends = token.expire_time.as_ref().map_or_else(|| "never".to_owned(), |at| time(Some(at)));
        let id = token.name.rsplit('/').next().unwrap_or_default().to_owned();
        table.row([id, scope, time(token.create_time.as_ref()), ends, token.display_name]);
    }
    if !session.json {
        table.print("no tokens");
    }
    Ok(())
}

async fn audit(mut session: Session, account: String, max: usize) -> Result<()> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut page_token = String::new();
    while entries.len() < max {
        let page_size = i32::try_from((max - entries.len()).min(1_000)).unwrap_or(1_000);
        let request =
            ListAuditEntriesRequest { parent: account.clone(), page_size, page_token, ..Default::default() };
        let page = session.registry.list_audit_entries(request).await.map_err(refused)?.into_inner();
        entries.extend(page.audit_entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    entries.truncate(max);
    if session.json {
        for entry in &entries {
            print(&api::to_json(entry)?.to_string());
        }
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Text("TIME"),
        Column::Long("ACTOR"),
        Column::Text("ACTION"),
        Column::Long("SUBJECT"),
        Column::Long("DETAIL"),
    ]);
    for entry in entries {
        let detail = if entry.detail == "{}" { String::new() } else { entry.detail };
        table.row([time(entry.time.as_ref()), entry.actor, entry.action, entry.subject, detail]);
    }
    table.print("nothing was done yet");
    Ok(())
}

async fn deletions(command: DeletionsCommand) -> Result<Answer> {
    let (DeletionsCommand::Add(args) | DeletionsCommand::Remove(args) | DeletionsCommand::Check(args)) =
        &command;
    let mut session = Session::open(&args.client)?;
    let parent = session.account(None)?;
    let subjects = subjects(args)?;
    if subjects.is_empty() && !matches!(command, DeletionsCommand::Check(_)) {
        return Err(UsageError("no subject is named; give some, or a --file of them".into()).into());
    }
    let mut changed = 0_u64;
    match command {
        DeletionsCommand::Check(_) => return check(session, parent, subjects).await,
        DeletionsCommand::Add(_) => {
            for part in subjects.chunks(SUBJECTS_A_CALL) {
                let request =
                    AddDeletedSubjectsRequest { parent: parent.clone(), subject_ids: part.to_vec() };
                let answer = session.registry.add_deleted_subjects(request).await.map_err(refused)?;
                changed += u64::from(answer.into_inner().added);
            }
        }
        DeletionsCommand::Remove(_) => {
            for part in subjects.chunks(SUBJECTS_A_CALL) {
                let request =
                    RemoveDeletedSubjectsRequest { parent: parent.clone(), subject_ids: part.to_vec() };
                let answer = session.registry.remove_deleted_subjects(request).await.map_err(refused)?;
                changed += u64::from(answer.into_inner().removed);
            }
        }
    }
    if session.json {
        print(&json!({ "given": subjects.len(), "changed": changed }).to_string());
    } else {
        print(&format!("{changed} of {} changed the list", subjects.len()));
    }
    Ok(Answer::Yes)
}

async fn check(mut session: Session, parent: String, subjects: Vec<String>) -> Result<Answer> {
    let mut deleted = Vec::new();
    let mut total = 0;
    let parts = if subjects.is_empty() { vec![&[][..]] } else { subjects.chunks(SUBJECTS_A_CALL).collect() };
    for part in parts {
        let request = CheckDeletedSubjectsRequest { parent: parent.clone(), subject_ids: part.to_vec() };
        let answer = session.registry.check_deleted_subjects(request).await.map_err(refused)?.into_inner();
        deleted.extend(answer.deleted_subject_ids);
        total = answer.total;
    }
    let found: std::collections::BTreeSet<&String> = deleted.iter().collect();
    let all = subjects.iter().all(|subject| found.contains(subject));
    if session.json {
        print(&json!({ "deleted_subject_ids": found, "total": total }).to_string());
    } else {
        for subject in &subjects {
            print(&format!(
                "{}  {subject}",
                if found.contains(subject) { "deleted    " } else { "not deleted" }
            ));
        }
        print(&format!("{} on the list in all", count(total)));
    }
    Ok(if all { Answer::Yes } else { Answer::No })
}

/// Those that are named, and those of the file.
fn subjects(args: &DeletionsArgs) -> Result<Vec<String>> {
    let mut subjects = args.subjects.clone();
    if let Some(path) = &args.file {
        let text = if path == Path::new("-") {
            std::io::read_to_string(std::io::stdin()).context("standard input")?
        } else {
            std::fs::read_to_string(path).with_context(|| path.display().to_string())?
        };
        subjects.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(subjects)
}
