//! `reflexctl leads capture`: one lead by flags, or many from a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reflex_proto::leads::v1::lead_service_client::LeadServiceClient;
use reflex_proto::leads::v1::{CaptureLeadRequest, NewLead, RefusedLead, StreamCaptureLeadsRequest};
use reflex_tenancy::TenantId;
use serde_json::json;

use super::file::{Defaults, Refusal, Row, parse_urgency, parse_yuan, read};
use crate::bundle::Owner;
use crate::cli::ConnectionArgs;
use crate::commands::{answer, named, request_id};
use crate::connection::Connection;
use crate::output::{Output, Table};

/// Leads in one call. A call is repeated as a whole when the service is away, and answers before its deadline.
const BATCH: usize = 200;

/// Takes in one lead, or those of a CSV file.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns of a file: tenant, source, external_id (lead_id), company, contact_name (name), phone (mobile), email, territory
(else province and city), product, urgency (红 黄 绿, red yellow green), budget_min and budget_max in yuan, remark (message),
account, form. Any other column becomes an attribute. Sending a file again takes nothing in twice.

JSON of a file: {\"captured_count\", \"existed_count\", \"refused_count\", \"refused\": [{\"line\", \"field\", \"description\"}]}

Examples:
  reflexctl leads capture --source 400来电 --company 华东骨科医院 --contact-name 张主任 --phone 13900000000 \\
    --territory 江苏省苏州市 --product 骨科耗材 --urgency red
  reflexctl leads capture --file deploy/demo/leads.csv")]
pub(crate) struct Capture {
    /// CSV file with a header line, UTF-8.
    #[arg(long, value_name = "CSV", conflicts_with_all = ["company", "contact_name", "phone", "email", "external_id",
        "territory", "product", "urgency", "budget_min", "budget_max", "remark", "account"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    lead: LeadArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Lead")]
struct LeadArgs {
    /// Channel it came through; of a file, for lines that name none.
    #[arg(long, default_value = "reflexctl")]
    source: String,
    /// The source's own id of it; makes a repeat harmless.
    #[arg(long, default_value = "", hide_default_value = true)]
    external_id: String,
    /// Company. One of company, contact name, phone and e-mail is needed.
    #[arg(long, required_unless_present_any = ["file", "contact_name", "phone", "email"])]
    company: Option<String>,
    /// Contact person.
    #[arg(long)]
    contact_name: Option<String>,
    /// Mobile or landline.
    #[arg(long)]
    phone: Option<String>,
    /// Mail address.
    #[arg(long)]
    email: Option<String>,
    /// City, province or region.
    #[arg(long, default_value = "", hide_default_value = true)]
    territory: String,
    /// Product or product line.
    #[arg(long, default_value = "", hide_default_value = true)]
    product: String,
    /// How soon the customer wants an answer: red, yellow, green, 红, 黄, 绿.
    #[arg(long, value_parser = |text: &str| parse_urgency(text).map(i32::from))]
    urgency: Option<i32>,
    /// Lowest budget in yuan.
    #[arg(long, value_name = "YUAN", value_parser = parse_yuan)]
    budget_min: Option<i64>,
    /// Highest budget in yuan.
    #[arg(long, value_name = "YUAN", value_parser = parse_yuan)]
    budget_max: Option<i64>,
    /// Free text of the customer.
    #[arg(long, default_value = "", hide_default_value = true)]
    remark: String,
    /// Account the lead belongs to.
    #[arg(long, default_value = "", hide_default_value = true)]
    account: String,
    /// Form it was sent with; of a file, for lines that name none.
    #[arg(long, default_value = "", hide_default_value = true)]
    form: String,
}

/// What became of a file's leads.
#[derive(Debug, Default)]
struct Counts {
    captured: i64,
    existed: i64,
    refused: Vec<Refusal>,
}

impl Capture {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        match &self.file {
            Some(file) => self.capture_file(file, connection, output).await,
            None => self.capture_one(&connection.connect()?, output).await,
        }
    }

    async fn capture_one(&self, connection: &Connection, output: &Output) -> anyhow::Result<()> {
        let client = LeadServiceClient::new(connection.to(Owner::Leads)?);
        let request = CaptureLeadRequest {
            lead: Some(self.lead.to_new_lead()),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().capture_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.CaptureLeadResponse", &response, |response| {
            let known = if response.existed { ", stored before" } else { "" };
            format!("{} ({}){known}", response.number, response.name)
        })?;
        Ok(())
    }

    async fn capture_file(&self, file: &Path, args: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = args.connect()?;
        let defaults = Defaults {
            source: self.lead.source.clone(),
            form: self.lead.form.clone(),
        };
        let (rows, refused) = read(file, &defaults)?;
        // A tenant given by hand picks its lines, and those without any.
        let given = args.tenant.as_ref();
        let wanted = |row: &Row| given.is_none() || row.tenant.is_none() || row.tenant.as_ref() == given;
        let mut by_tenant: BTreeMap<Option<TenantId>, Vec<Row>> = BTreeMap::new();
        for row in rows.into_iter().filter(wanted) {
            by_tenant.entry(row.tenant.clone()).or_default().push(row);
        }
        let count: usize = by_tenant.values().map(Vec::len).sum();
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} leads, {per_sec}, {eta} left");
        let progress = ProgressBar::new(count as u64).with_style(style.expect("the template is a literal"));
        let mut counts = Counts {
            refused,
            ..Counts::default()
        };
        for (tenant, rows) in &by_tenant {
            let connection = tenant
                .as_ref()
                .map_or_else(|| connection.clone(), |tenant| connection.of_tenant(tenant));
            for batch in rows.chunks(BATCH) {
                counts.add(&connection, batch).await?;
                progress.inc(batch.len() as u64);
            }
        }
        progress.finish_and_clear();
        counts.refused.sort_by_key(|refusal| refusal.line);
        let refused = counts.refused.len();
        let object = json!({
            "captured_count": counts.captured,
            "existed_count": counts.existed,
            "refused_count": refused,
            "refused": counts.refused,
        });
        output.object(&object, || counts.render())?;
        anyhow::ensure!(refused == 0, "{refused} lines were refused");
        Ok(())
    }
}

impl LeadArgs {
    fn to_new_lead(&self) -> NewLead {
        NewLead {
            source: self.source.clone(),
            external_id: self.external_id.clone(),
            company: self.company.clone().unwrap_or_default(),
            contact_name: self.contact_name.clone().unwrap_or_default(),
            phone: self.phone.clone().unwrap_or_default(),
            email: self.email.clone().unwrap_or_default(),
            territory: self.territory.clone(),
            product: self.product.clone(),
            urgency: self.urgency.unwrap_or_default(),
            budget_min_fen: self.budget_min.unwrap_or_default(),
            budget_max_fen: self.budget_max.unwrap_or_default(),
            remark: self.remark.clone(),
            account: self.account.clone(),
            form: named("forms", &self.form),
            ..NewLead::default()
        }
    }
}

impl Counts {
    /// Sends a batch and adds what became of it.
    async fn add(&mut self, connection: &Connection, batch: &[Row]) -> anyhow::Result<()> {
        let client = LeadServiceClient::new(connection.to(Owner::Leads)?);
        let requests: Vec<StreamCaptureLeadsRequest> = batch.iter().map(|row| row.request.clone()).collect();
        let response = answer(async || {
            let stream = tokio_stream::iter(requests.clone());
            client.clone().stream_capture_leads(stream).await
        })
        .await?;
        self.captured += response.captured_count;
        self.existed += response.existed_count;
        self.refused
            .extend(response.refused.into_iter().map(|refused| at_line(refused, batch)));
        Ok(())
    }

    fn render(&self) -> String {
        let mut text = String::new();
        if !self.refused.is_empty() {
            let mut table = Table::new(["LINE", "FIELD", "WHAT IS WRONG"]);
            for refusal in &self.refused {
                table.row([
                    refusal.line.to_string(),
                    refusal.field.clone(),
                    refusal.description.clone(),
                ]);
            }
            text = table.render(0);
        }
        let (captured, existed, refused) = (self.captured, self.existed, self.refused.len());
        text + &format!("{captured} captured, {existed} stored before, {refused} refused")
    }
}

/// Returns a refusal of the server with the line of the file in place of the index in the batch.
fn at_line(refused: RefusedLead, batch: &[Row]) -> Refusal {
    let row = usize::try_from(refused.index).ok().and_then(|index| batch.get(index));
    Refusal {
        line: row.map_or(0, |row| row.line),
        field: refused.field,
        description: refused.description,
    }
}
