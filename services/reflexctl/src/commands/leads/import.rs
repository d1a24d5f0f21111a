//! `reflexctl leads import`: leads of a file, read by the server.

mod render;
mod report;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reflex_proto::leads::v1::import_service_client::ImportServiceClient;
use reflex_proto::leads::v1::{ImportLeadsRequest, ImportLeadsResponse, LeadFileSettings, lead_file_settings};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::named;
use super::resuming::{Resuming, is_passing};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language};
use crate::connection::Wire;
use crate::output::Output;
use report::Report;

/// Bytes of a message.
const PIECE_BYTES: usize = 256 * 1024;
/// Messages that wait to be sent.
const QUEUE: usize = 4;
/// Imports the leads of a CSV file, as trade fairs, ad platforms and spreadsheets export them.
#[derive(Debug, Args)]
#[command(after_help = "\
The first line names the columns, in English or Chinese: source 来源, external_id 编号, company 公司, contact_name 联系人,
phone 电话, email 邮箱, territory 地区 (else province 省份 and city 城市), product 产品, urgency 紧急程度 (红 黄 绿), budget_min
最低预算 and budget_max 预算 in yuan, remark 备注, account, form. Any other column becomes a further field of the lead; --map says
otherwise. The encoding (UTF-8, UTF-16, GB18030) and what stands between the columns are found out.

Wrong rows are listed and the others taken in; the exit code is 1 then. A file that is sent again goes on where it broke off and
takes nothing in twice: unless --import-id says otherwise, the id of the import follows from what is in the file. One that was
undone (reflexctl leads imports) needs an id of its own to be taken in again.

JSON: ImportLeadsResponse, with the faults of all rows that are listed.

Examples:
  reflexctl leads import 展会名单.csv --source 展会 --preview
  reflexctl leads import 展会名单.csv --source 展会 --map 单位全称=company --map 内部备注=ignore --report refused.csv
  reflexctl leads import 名单更正.csv --source 展会 --on-known overwrite --preview")]
pub(super) struct Import {
    /// CSV file with a header line.
    file: PathBuf,
    /// Shows what would be taken in and what is wrong; stores nothing.
    #[arg(long)]
    preview: bool,
    /// Channel of the rows that name none.
    #[arg(long, default_value = "", hide_default_value = true)]
    source: String,
    /// Form of the rows that name none.
    #[arg(long, default_value = "", hide_default_value = true)]
    form: String,
    /// Encoding of the file, such as utf-8, gbk, utf-16le.
    #[arg(long, default_value = "", hide_default_value = true)]
    encoding: String,
    /// What stands between the columns: a comma, a semicolon or \t.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "CHAR")]
    delimiter: String,
    /// Field that a column holds; a field named above, tenant, attribute (a further field) or ignore.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = parse_mapping)]
    map: Vec<(String, String)>,
    /// What rows do to leads that are known by source and id: nothing, fill what is empty, or overwrite. Conflicts (closed or
    /// merged leads) stay as they are and are listed.
    #[arg(long, value_enum, default_value_t = OnKnown::Skip, value_name = "WHAT")]
    on_known: OnKnown,
    /// Writes the rows that were refused, with line, column, value and reason, as CSV for a spreadsheet.
    #[arg(long, value_name = "CSV")]
    report: Option<PathBuf>,
    /// Id of the import, a UUID: the same one goes on with it.
    #[arg(long = "import-id", value_name = "UUID")]
    id: Option<Uuid>,
    /// Language of the reasons.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnKnown {
    Skip,
    Fill,
    Overwrite,
}

impl OnKnown {
    fn wanted(self) -> lead_file_settings::OnKnown {
        match self {
            Self::Skip => lead_file_settings::OnKnown::Skip,
            Self::Fill => lead_file_settings::OnKnown::Fill,
            Self::Overwrite => lead_file_settings::OnKnown::Overwrite,
        }
    }
}

impl Import {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let client = ImportServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let unreadable = || format!("{} cannot be read", self.file.display());
        let size = std::fs::metadata(&self.file).with_context(unreadable)?.len();
        let import_id = match self.id {
            Some(given) => given,
            None => content_id(&self.file).with_context(unreadable)?,
        };
        let first = self.first_message(import_id);
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {msg}, {eta} left");
        let progress = ProgressBar::new(size).with_style(style.expect("the template is a literal"));
        let outcome = self.send_until_done(&client, &first, &progress).await;
        progress.finish_and_clear();
        let file = self.file.display();
        let told = outcome.with_context(|| {
            if self.preview {
                file.to_string()
            } else {
                format!("{file} (import {import_id})")
            }
        })?;
        let refused = told.refused_count;
        output.response("reflex.leads.v1.ImportLeadsResponse", &told, |told| {
            render::told(told, self.preview, self.lang)
        })?;
        anyhow::ensure!(refused == 0, "{refused} rows were refused");
        Ok(())
    }

    fn first_message(&self, import_id: Uuid) -> ImportLeadsRequest {
        let columns: HashMap<String, String> = self.map.iter().cloned().collect();
        let settings = LeadFileSettings {
            source: self.source.clone(),
            form: named("forms", &self.form),
            encoding: self.encoding.clone(),
            delimiter: self.delimiter.replace("\\t", "\t"),
            columns,
            on_known: self.on_known.wanted().into(),
        };
        ImportLeadsRequest {
            settings: Some(settings),
            import_id: import_id.to_string(),
            dry_run: self.preview,
            chunk: Vec::new(),
        }
    }

    /// Sends the file, again where a line or a server breaks off after it was reached.
    async fn send_until_done(
        &self,
        client: &ImportServiceClient<Wire>,
        first: &ImportLeadsRequest,
        progress: &ProgressBar,
    ) -> anyhow::Result<ImportLeadsResponse> {
        let mut resuming = Resuming::default();
        let mut most_done = 0;
        let mut was_reached = false;
        loop {
            let mut told = ImportLeadsResponse::default();
            let Err(error) = self.send(client.clone(), first, progress, &mut told).await else {
                return Ok(told);
            };
            was_reached |= told.file.is_some();
            let done = told.stored_count + told.existed_count;
            if done > most_done {
                most_done = done;
                resuming.progressed();
            }
            let passes = error.downcast_ref::<Status>().is_some_and(is_passing);
            if !(passes && was_reached && resuming.wait().await) {
                return Err(error);
            }
        }
    }

    /// Sends the file once; adds what the server says to `told`.
    async fn send(
        &self,
        mut client: ImportServiceClient<Wire>,
        first: &ImportLeadsRequest,
        progress: &ProgressBar,
        told: &mut ImportLeadsResponse,
    ) -> anyhow::Result<()> {
        let mut report = match &self.report {
            Some(path) => Some(Report::create(path, self.lang)?),
            None => None,
        };
        let file = File::open(&self.file)?;
        let (messages, queue) = mpsc::channel(QUEUE);
        // Only a message that says so ends the stream well: a file that cannot be read to its end is not taken for whole.
        let requests = ReceiverStream::new(queue).map_while(|message| message);
        messages.send(Some(first.clone())).await?;
        let sending = send_pieces(file, &messages);
        let receiving = async {
            let mut responses = client.import_leads(requests).await?.into_inner();
            while let Some(response) = responses.message().await? {
                progress.set_position(response.read_bytes.unsigned_abs());
                progress.set_message(format!(
                    "{} rows, {} refused",
                    response.row_count, response.refused_count
                ));
                if let Some(report) = &mut report {
                    report.add(&response.refused)?;
                }
                add(told, response);
            }
            anyhow::ensure!(told.done, Status::unavailable("the import broke off"));
            Ok(())
        };
        let outcome = tokio::try_join!(sending, receiving);
        drop(messages);
        outcome?;
        if let Some(report) = report {
            report.finish()?;
        }
        Ok(())
    }
}

/// Sends a file piece by piece, and then that it is whole.
async fn send_pieces(mut file: File, messages: &mpsc::Sender<Option<ImportLeadsRequest>>) -> anyhow::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(PIECE_BYTES);
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut chunk)?;
        let is_end = chunk.is_empty();
        let message = (!is_end).then(|| ImportLeadsRequest {
            chunk,
            ..ImportLeadsRequest::default()
        });
        // Who refuses the file does not read it to its end, and says why.
        if messages.send(message).await.is_err() || is_end {
            return Ok(());
        }
    }
}

/// Adds a response to those before it.
fn add(told: &mut ImportLeadsResponse, response: ImportLeadsResponse) {
    let mut refused = std::mem::take(&mut told.refused);
    let file = told.file.take();
    let mut known_rows = std::mem::take(&mut told.known_rows);
    refused.extend(response.refused);
    known_rows.extend(response.known_rows);
    *told = ImportLeadsResponse {
        refused,
        known_rows,
        file: file.or(response.file),
        ..response
    };
}

/// Returns an id that follows from what is in a file.
fn content_id(file: &std::path::Path) -> io::Result<Uuid> {
    let mut digest = Sha256::new();
    digest.update(b"reflexctl leads import");
    let mut file = File::open(file)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => digest.update(&piece[..read]),
        }
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    Ok(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn parse_mapping(text: &str) -> Result<(String, String), String> {
    let (column, field) = text.rsplit_once('=').ok_or("must be COLUMN=FIELD")?;
    if column.trim().is_empty() || field.trim().is_empty() {
        return Err("must be COLUMN=FIELD".to_owned());
    }
    Ok((column.trim().to_owned(), field.trim().to_owned()))
}
