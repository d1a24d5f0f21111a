//! `reflexctl gate`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::gate_service_client::GateServiceClient;
use reflex_proto::leads::v1::gate_verdict::{Criterion, SubVerdict, Truth};
use reflex_proto::leads::v1::{
    EvaluateGateRequest, ExplainGateRequest, ExplainGateResponse, GateImport, GateVerdict, ImportCompaniesRequest,
    ImportCompetitorVisitsRequest, ListGateImportsRequest, UndoGateImportRequest, Validity, gate_import,
};

use super::{answer, lead_name, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::output::{Output, Table, more, word};

/// Says which leads go to salespeople and why; bundles set it up (`kind: GatePolicy`).
#[derive(Debug, Args)]
pub(crate) struct Gate {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: GateCommand,
}

#[derive(Debug, Subcommand)]
enum GateCommand {
    /// Tells what the gate would say of a lead now; changes nothing and asks no registry.
    #[command(after_help = "Example:\n  reflexctl gate evaluate L000123")]
    Evaluate {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Language of the reasons.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Tells what the gate said of a lead the last time, what that rests on, and what happened on its account.
    #[command(after_help = "Examples:\n  reflexctl gate explain L000123\n  reflexctl gate explain L000123 --lang en")]
    Explain {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Language of the reasons.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Imports a list that the gate asks, in place of the one before; all rows or none.
    #[command(after_help = "\
Companies have the columns domain (域名), company (公司) and industry_code (行业代码), visits visitor (访客: mail, phone or domain),
competitor (竞品) and visit_time (访问时间); further columns do not matter.

Examples:
  reflexctl gate import companies 企业名录.csv --as-of 2026-11-01
  reflexctl gate import visits visits.csv --dry-run")]
    Import(Import),
    /// Lists imports of a list, newest first.
    #[command(after_help = "Example:\n  reflexctl gate imports companies")]
    Imports {
        /// Which list.
        #[arg(value_enum)]
        list: List,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Takes an import back; the version before it holds again.
    #[command(after_help = "Example:\n  reflexctl gate undo companies 3")]
    Undo {
        /// Which list.
        #[arg(value_enum)]
        list: List,
        /// Its version.
        version: i32,
    },
}

#[derive(Debug, Args)]
struct Import {
    /// Which list.
    #[arg(value_enum)]
    list: List,
    /// CSV file with a header line.
    #[arg(value_name = "CSV")]
    file: PathBuf,
    /// As of when the list is, a day or a time with an offset; now if left out.
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    as_of: String,
    /// Only tells what is wrong.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum List {
    Companies,
    Visits,
}

impl List {
    fn kind(self) -> gate_import::Kind {
        match self {
            Self::Companies => gate_import::Kind::Companies,
            Self::Visits => gate_import::Kind::Visits,
        }
    }
}

impl Gate {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            GateCommand::Evaluate { lead, lang } => self.evaluate(lead, *lang, output).await,
            GateCommand::Explain { lead, lang } => self.explain(lead, *lang, output).await,
            GateCommand::Import(import) => self.import(import, output).await,
            GateCommand::Imports { list, page } => self.imports(*list, page, output).await,
            GateCommand::Undo { list, version } => self.undo(*list, *version, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn evaluate(&self, lead: &str, lang: Language, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = EvaluateGateRequest {
            lead: lead_name(&connection, lead).await?,
            policy: None,
        };
        let client = GateServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().evaluate_gate(request.clone()).await).await?;
        output.response("reflex.leads.v1.EvaluateGateResponse", &response, |response| {
            response
                .verdict
                .as_ref()
                .map(|verdict| render(verdict, lang))
                .unwrap_or_default()
        })?;
        Ok(())
    }

    async fn explain(&self, lead: &str, lang: Language, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = ExplainGateRequest {
            lead: lead_name(&connection, lead).await?,
        };
        let client = GateServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().explain_gate(request.clone()).await).await?;
        output.response("reflex.leads.v1.ExplainGateResponse", &response, |response| {
            render_explained(response, lang, output)
        })?;
        Ok(())
    }

    async fn import(&self, import: &Import, output: &Output) -> anyhow::Result<()> {
        let csv = std::fs::read(&import.file).with_context(|| import.file.display().to_string())?;
        let as_of = as_of(&import.as_of, output)?;
        let client = GateServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        match import.list {
            List::Companies => {
                let request = ImportCompaniesRequest {
                    csv,
                    as_of,
                    dry_run: import.dry_run,
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().import_companies(request.clone()).await).await?;
                let name = "reflex.leads.v1.ImportCompaniesResponse";
                output.response(name, &response, |response| imported(response.import.as_ref()))?;
            }
            List::Visits => {
                let request = ImportCompetitorVisitsRequest {
                    csv,
                    as_of,
                    dry_run: import.dry_run,
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().import_competitor_visits(request.clone()).await).await?;
                let name = "reflex.leads.v1.ImportCompetitorVisitsResponse";
                output.response(name, &response, |response| imported(response.import.as_ref()))?;
            }
        }
        Ok(())
    }

    async fn imports(&self, list: List, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = GateServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListGateImportsRequest {
            kind: list.kind().into(),
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_gate_imports(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListGateImportsResponse", &response, |response| {
            let mut table = Table::new(["VERSION", "AS OF", "IMPORTED", "ROWS", "IN FORCE", "TAKEN BACK"]);
            for import in &response.imports {
                table.row([
                    import.version.to_string(),
                    output.time(import.as_of.as_ref()),
                    output.time(import.import_time.as_ref()),
                    import.row_count.to_string(),
                    if import.active { "yes" } else { "no" }.to_owned(),
                    output.time(import.undo_time.as_ref()),
                ]);
            }
            table.render(0) + &more(&response.next_page_token)
        })?;
        Ok(())
    }

    async fn undo(&self, list: List, version: i32, output: &Output) -> anyhow::Result<()> {
        let client = GateServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = UndoGateImportRequest {
            kind: list.kind().into(),
            version,
            request_id: request_id(),
        };
        let response = answer(async || client.clone().undo_gate_import(request.clone()).await).await?;
        output.response(
            "reflex.leads.v1.UndoGateImportResponse",
            &response,
            |response| match response.active_version {
                0 => "taken back; no version is in force now".to_owned(),
                active => format!("taken back; version {active} is in force now"),
            },
        )?;
        Ok(())
    }
}

/// Reads a day of the time zone of tables, or an instant.
fn as_of(text: &str, output: &Output) -> anyhow::Result<Option<prost_types::Timestamp>> {
    if text.is_empty() {
        return Ok(None);
    }
    let instant = match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() <= 10 => day.to_zoned(output.zone.clone())?.timestamp(),
        _ => text.parse::<jiff::Timestamp>().context("--as-of")?,
    };
    Ok(Some(prost_types::Timestamp {
        seconds: instant.as_second(),
        nanos: instant.subsec_nanosecond(),
    }))
}

fn imported(import: Option<&GateImport>) -> String {
    let import = import.copied().unwrap_or_default();
    match import.version {
        0 => format!(
            "{} rows, nothing is wrong with them; nothing was imported",
            import.row_count
        ),
        version => format!("version {version}: {} rows", import.row_count),
    }
}

fn pick<'a>(lang: Language, zh: &'a str, en: &'a str) -> &'a str {
    match lang {
        Language::Zh => zh,
        Language::En => en,
    }
}

fn truth(truth: Truth, lang: Language) -> &'static str {
    match truth {
        Truth::True => pick(lang, "成立", "true"),
        Truth::False => pick(lang, "不成立", "false"),
        Truth::Unknown => pick(lang, "未知", "unknown"),
        Truth::Unspecified => "",
    }
}

fn render(verdict: &GateVerdict, lang: Language) -> String {
    use reflex_proto::leads::v1::Verdict;
    let said = match verdict.verdict() {
        Verdict::Pass => pick(lang, "放行", "pass"),
        Verdict::Nurture => pick(lang, "进入培育", "nurture"),
        Verdict::Hold => pick(lang, "等待数据源", "hold"),
        Verdict::Unspecified => "",
    };
    let mut text = format!("{}: {said}", pick(lang, "结论", "verdict"));
    if verdict.sub_verdicts.is_empty() {
        text += pick(lang, "（未启用线索门槛）", " (the gate is off)");
        return text;
    }
    if verdict.hold_over {
        text += pick(lang, "（等待超时，按策略处理）", " (waited too long, by the policy)");
    } else if verdict.by_policy {
        text += pick(lang, "（未知项按策略处理）", " (what is unknown counts by the policy)");
    }
    text.push('\n');
    let mut table = Table::new(match lang {
        Language::Zh => ["条件", "判断", "计为", "依据"],
        Language::En => ["CRITERION", "SAYS", "COUNTS AS", "BECAUSE"],
    });
    for part in &verdict.sub_verdicts {
        table.row([
            criterion(part, lang).to_owned(),
            says(part, lang),
            truth(part.counted_as(), lang).to_owned(),
            because(part, lang),
        ]);
    }
    text += &table.render(0);
    let versions = [verdict.policy_version, verdict.company_version, verdict.visit_version];
    let [policy, companies, visits] = versions;
    let _ = match lang {
        Language::Zh => writeln!(
            text,
            "策略第 {policy} 版，企业名录第 {companies} 版，竞品访问第 {visits} 版"
        ),
        Language::En => writeln!(
            text,
            "policy version {policy}, companies version {companies}, visits version {visits}"
        ),
    };
    text
}

fn criterion(part: &SubVerdict, lang: Language) -> &'static str {
    match part.criterion() {
        Criterion::Behaviour => pick(lang, "浏览行为", "behaviour"),
        Criterion::Industry => pick(lang, "所属行业", "industry"),
        Criterion::NoCompetitor => pick(lang, "未访竞品", "no competitor"),
        Criterion::Unspecified => "",
    }
}

fn says(part: &SubVerdict, lang: Language) -> String {
    let why = match part.unknown.as_str() {
        "no_data" => pick(lang, "没有数据", "no data"),
        "pending" => pick(lang, "查询中", "being asked"),
        "down" => pick(lang, "数据源不可用", "source is out"),
        "stale" => pick(lang, "数据过期", "too old"),
        _ => return truth(part.truth(), lang).to_owned(),
    };
    format!("{} ({why})", truth(part.truth(), lang))
}

fn because(part: &SubVerdict, lang: Language) -> String {
    let texts: Vec<&str> = part.evidence.iter().map(|it| pick(lang, &it.zh, &it.en)).collect();
    texts.join(pick(lang, "；", "; "))
}

/// Says what corrections made of the weights.
fn learned(validity: &Validity, lang: Language) -> String {
    let count = validity.correction_count;
    let mut text = match lang {
        Language::Zh => format!("  依据 {count} 条人工判定调整了权重"),
        Language::En => format!("  weights rest on {count} corrections"),
    };
    let moved = validity
        .reasons
        .iter()
        .filter(|it| (it.weight - it.shipped_weight).abs() >= 0.005);
    let moved: Vec<String> = moved
        .map(|it| format!("{} {:.2} → {:.2}", it.code, it.shipped_weight, it.weight))
        .collect();
    if !moved.is_empty() {
        let _ = write!(text, ": {}", moved.join(", "));
    }
    if validity.shipped_label != 0 {
        let before = word(validity.shipped_label().as_str_name(), "LABEL_");
        let _ = write!(text, " ({} {before})", pick(lang, "原为", "else"));
    }
    text + "\n"
}

fn render_explained(response: &ExplainGateResponse, lang: Language, output: &Output) -> String {
    let state = word(response.state().as_str_name(), "STATE_");
    let mut text = format!("{}: {state}", pick(lang, "状态", "state"));
    if !response.kept_for.is_empty() {
        let _ = write!(text, " ({})", response.kept_for);
    }
    if response.hold_until.is_some() {
        let until = output.time(response.hold_until.as_ref());
        let _ = match lang {
            Language::Zh => write!(text, "，最迟等到 {until}"),
            Language::En => write!(text, ", until {until} at most"),
        };
    }
    text.push('\n');
    match &response.verdict {
        Some(verdict) => text += &render(verdict, lang),
        None => text += pick(lang, "未经线索门槛判断\n", "the gate never judged it\n"),
    }
    if let Some(validity) = &response.validity {
        let reasons: Vec<&str> = validity.reasons.iter().map(|it| pick(lang, &it.zh, &it.en)).collect();
        let label = word(validity.label().as_str_name(), "LABEL_");
        let _ = writeln!(text, "{label} ({:.2}): {}", validity.confidence, reasons.join("; "));
        if validity.correction_count > 0 {
            text += &learned(validity, lang);
        }
    }
    if let Some(correction) = &response.correction {
        let verdict = word(correction.verdict().as_str_name(), "LABEL_");
        let who = if correction.member.is_empty() {
            "-"
        } else {
            correction.member.as_str()
        };
        let said = pick(lang, "人工判定", "somebody said");
        let _ = writeln!(text, "{said}: {verdict} ({who}) {}", correction.note);
    }
    for entry in &response.history {
        let time = output.time(entry.time.as_ref());
        let _ = writeln!(text, "{time}  {}  {}", entry.kind, entry.detail);
    }
    text
}
