//! `reflexctl leads imports`: which files were imported, and taking one back.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use reflex_proto::leads::v1::import_service_client::ImportServiceClient;
use reflex_proto::leads::v1::{
    CancelImportRequest, ConflictDecision, ConflictResolution, GetImportRequest, Import, ListImportsRequest,
    ListImportsResponse, UndoImportRequest, UndoImportResponse,
};
use tonic::Status;

use super::resuming::{Resuming, is_passing};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::commands::{answer, named, request_id};
use crate::connection::Wire;
use crate::output::{Output, Table, more, word};

/// Conflicts that are shown; JSON has all that are listed.
const SHOWN: usize = 50;
/// Shows imports, and takes them back.
#[derive(Debug, Args)]
pub(super) struct Imports {
    #[command(subcommand)]
    command: ImportsCommand,
}

#[derive(Debug, Subcommand)]
enum ImportsCommand {
    /// Lists imports, newest first.
    #[command(after_help = "Example:\n  reflexctl leads imports list -o json")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows an import: where it is, and what became of its rows.
    #[command(after_help = "Example:\n  reflexctl leads imports show 0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")]
    Show {
        /// Id or resource name of the import.
        import: String,
    },
    /// Keeps an import from going on; what it has taken in stays.
    #[command(after_help = "Example:\n  reflexctl leads imports cancel 0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")]
    Cancel {
        /// Id or resource name of the import.
        import: String,
    },
    Undo(Undo),
}

/// Takes an import back: its leads vanish with everything that came of them, what it updated says what it said before.
#[derive(Debug, Args)]
#[command(after_help = "\
What somebody did since is kept and listed, unless --restore or --restore-rest says otherwise; asked for again, it decides about
what was kept. A conflict is leads/LEAD, or leads/LEAD/FIELD for a field that an update had changed. One that broke off goes on.

JSON: UndoImportResponse, with all conflicts that are listed.

Examples:
  reflexctl leads imports undo 0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b
  reflexctl leads imports undo 0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --restore-rest")]
struct Undo {
    /// Id or resource name of the import.
    import: String,
    /// Conflicts in which everything becomes what it was before the import.
    #[arg(long, value_name = "CONFLICT")]
    restore: Vec<String>,
    /// Conflicts in which everything stays as it is.
    #[arg(long, value_name = "CONFLICT")]
    keep: Vec<String>,
    /// Restores in all other conflicts.
    #[arg(long)]
    restore_rest: bool,
    /// Language of what was done.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

impl Imports {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let client = ImportServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        match &self.command {
            ImportsCommand::List { page } => {
                let request = ListImportsRequest {
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_imports(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListImportsResponse", &response, |response| {
                    list(response, output)
                })?;
            }
            ImportsCommand::Show { import } => {
                let name = named("imports", import);
                let request = GetImportRequest { name };
                let response = answer(async || client.clone().get_import(request.clone()).await).await?;
                output.response("reflex.leads.v1.GetImportResponse", &response, |response| {
                    show(&response.import.clone().unwrap_or_default(), output)
                })?;
            }
            ImportsCommand::Cancel { import } => {
                let request = CancelImportRequest {
                    name: named("imports", import),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().cancel_import(request.clone()).await).await?;
                output.response("reflex.leads.v1.CancelImportResponse", &response, |response| {
                    show(&response.import.clone().unwrap_or_default(), output)
                })?;
            }
            ImportsCommand::Undo(undo) => undo.run(&client, output).await?,
        }
        Ok(())
    }
}

impl Undo {
    async fn run(&self, client: &ImportServiceClient<Wire>, output: &Output) -> anyhow::Result<()> {
        let decided = |conflicts: &[String], resolution: ConflictResolution| {
            let decision = |conflict: &String| ConflictDecision {
                conflict: conflict.clone(),
                resolution: resolution.into(),
            };
            conflicts.iter().map(decision).collect::<Vec<_>>()
        };
        let others = if self.restore_rest {
            ConflictResolution::Restore
        } else {
            ConflictResolution::Keep
        };
        let request = UndoImportRequest {
            name: named("imports", &self.import),
            decisions: [
                decided(&self.keep, ConflictResolution::Keep),
                decided(&self.restore, ConflictResolution::Restore),
            ]
            .concat(),
            other_conflicts: others.into(),
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows, {msg}, {eta} left");
        let progress = ProgressBar::new(0).with_style(style.expect("the template is a literal"));
        let outcome = undo_until_done(client, &request, &progress).await;
        progress.finish_and_clear();
        let told = outcome?;
        output.response("reflex.leads.v1.UndoImportResponse", &told, |told| {
            render_undone(told, self.lang)
        })?;
        Ok(())
    }
}

/// Asks again where a line or a server breaks off: the undoing goes on behind its last batch.
async fn undo_until_done(
    client: &ImportServiceClient<Wire>,
    request: &UndoImportRequest,
    progress: &ProgressBar,
) -> anyhow::Result<UndoImportResponse> {
    let mut told = UndoImportResponse::default();
    let mut resuming = Resuming::default();
    loop {
        let before = told.clone();
        let Err(status) = undo_once(client.clone(), request, progress, &mut told).await else {
            return Ok(told);
        };
        let counts = |told: &UndoImportResponse| (told.removed_count, told.restored_count, told.kept_count);
        if counts(&told) != counts(&before) {
            resuming.progressed();
        }
        if !(is_passing(&status) && resuming.wait().await) {
            return Err(status.into());
        }
    }
}

/// Asks once; adds what the server says to `told`.
async fn undo_once(
    mut client: ImportServiceClient<Wire>,
    request: &UndoImportRequest,
    progress: &ProgressBar,
    told: &mut UndoImportResponse,
) -> Result<(), Status> {
    let mut responses = client.undo_import(request.clone()).await?.into_inner();
    while let Some(response) = responses.message().await? {
        let seen = response.removed_count + response.restored_count + response.kept_count;
        progress.set_length((seen + response.left_count).unsigned_abs());
        progress.set_position(seen.unsigned_abs());
        progress.set_message(format!("{} kept", response.kept_count));
        let mut conflicts = std::mem::take(&mut told.conflicts);
        conflicts.extend(response.conflicts.iter().cloned());
        *told = UndoImportResponse { conflicts, ..response };
    }
    if told.done {
        Ok(())
    } else {
        Err(Status::unavailable("the undoing broke off"))
    }
}

fn list(response: &ListImportsResponse, output: &Output) -> String {
    let mut table = Table::new([
        "IMPORT", "STATE", "WHEN", "BY", "SOURCE", "STORED", "UPDATED", "REFUSED", "REMOVED",
    ]);
    for import in &response.imports {
        table.row([
            import.name.clone(),
            word(import.state().as_str_name(), "STATE_"),
            output.time(import.create_time.as_ref()),
            import.member.clone(),
            import.source.clone(),
            import.stored_count.to_string(),
            import.updated_count.to_string(),
            import.refused_count.to_string(),
            import.removed_count.to_string(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn show(import: &Import, output: &Output) -> String {
    let mut table = Table::new(["import", import.name.as_str()]);
    let mut row = |label: &str, value: String| {
        if !value.is_empty() && value != "0" {
            table.row([label.to_owned(), value]);
        }
    };
    row("state", word(import.state().as_str_name(), "STATE_"));
    row("source", import.source.clone());
    row("begun", output.time(import.create_time.as_ref()));
    row("by", import.member.clone());
    row("went on", output.time(import.update_time.as_ref()));
    row("complete", output.time(import.complete_time.as_ref()));
    row("rows", import.row_count.to_string());
    row("stored", import.stored_count.to_string());
    row("known before", import.existed_count.to_string());
    row("updated", import.updated_count.to_string());
    row("conflicts", import.conflict_count.to_string());
    row("refused", import.refused_count.to_string());
    row("undo begun", output.time(import.undo_time.as_ref()));
    row("by", import.undo_member.clone());
    row("undone", output.time(import.undone_time.as_ref()));
    row("removed", import.removed_count.to_string());
    row("restored", import.restored_count.to_string());
    row("kept", import.kept_count.to_string());
    table.render(0)
}

fn render_undone(told: &UndoImportResponse, lang: Language) -> String {
    let mut text = String::new();
    if !told.conflicts.is_empty() {
        let mut table = Table::new(["CONFLICT", "WHAT WAS DONE", "NOW", "BEFORE", "RESOLUTION"]);
        for conflict in told.conflicts.iter().take(SHOWN) {
            table.row([
                conflict.name.clone(),
                lang.pick(&conflict.description_zh, &conflict.description).to_owned(),
                conflict.kept_value.clone(),
                conflict.restored_value.clone(),
                word(conflict.resolution().as_str_name(), "CONFLICT_RESOLUTION_"),
            ]);
        }
        text = table.render(0);
        let more = told.conflicts.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "and {more} more");
        }
        text += "\n";
    }
    let (removed, restored, kept) = (told.removed_count, told.restored_count, told.kept_count);
    text + &format!("{removed} leads removed, {restored} updates taken back, {kept} conflicts kept")
}

#[cfg(test)]
mod tests {
    use reflex_proto::leads::v1::UndoConflict;

    use super::*;

    #[test]
    fn what_was_kept_is_told() {
        let told = UndoImportResponse {
            removed_count: 7,
            restored_count: 2,
            kept_count: 1,
            conflicts: vec![UndoConflict {
                name: "leads/a/phone".to_owned(),
                description: "was changed since".to_owned(),
                description_zh: "导入后已被修改".to_owned(),
                kept_value: "2".to_owned(),
                restored_value: "1".to_owned(),
                resolution: ConflictResolution::Keep.into(),
            }],
            done: true,
            ..UndoImportResponse::default()
        };
        let text = render_undone(&told, Language::En);
        for part in [
            "leads/a/phone  was changed since  2    1       keep",
            "7 leads removed, 2 updates taken back, 1 conflicts kept",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(render_undone(&told, Language::Zh).contains("导入后已被修改"));
    }
}
