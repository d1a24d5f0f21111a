//! `reflexctl notifications template`: the words of messages, tried with facts; a preview needs no server.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::notifications::v1::template_service_client::TemplateServiceClient;
use reflex_proto::notifications::v1::{
    GetTemplateRequest, ListTemplateVersionsRequest, ListTemplatesRequest, PreviewTemplateRequest,
    PreviewTemplateResponse, Template as StoredTemplate,
};
use reflex_templates::template::{Facts, split};
use reflex_templates::{Format, Key, Locale, Template as Words, built_in};
use serde_json::{Value, json};

use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::commands::{answer, named};
use crate::output::{Output, Table, more, one_line, word};

/// Shows the words of messages, and how they would read.
#[derive(Debug, Args)]
pub(super) struct Template {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: TemplateCommand,
}

const PREVIEW_HELP: &str = "\
A template is a file whose first line is its title, \"# 新线索 {{number}}：{{company}}\"; the rest is its text, in Markdown. Without
--template the shipped words are shown. Facts are a JSON object of texts and numbers, {\"number\": \"L000123\", \"company\": \"华东机床\"};
what is left out shows as —. With --message the server is asked: its facts are put in, and without --template the words in use.

What keeps a template from being published is told, and the command exits with 1.

JSON: {\"key\", \"locale\", \"problems\": [{\"field\", \"code\", \"message\"}], \"renderings\": [{\"format\", \"title\", \"text\"}]}

Examples:
  reflexctl notifications template preview --key lead_assigned --facts facts.json
  reflexctl notifications template preview --key lead_assigned --template 新线索.md --facts facts.json --channel wecom-robot
  reflexctl notifications template preview --key lead_escalated --locale en --message 0199c0de-0000-7000-8000-000000000001";

#[derive(Debug, Subcommand)]
enum TemplateCommand {
    /// Lists the templates in use, shipped ones with version 0.
    #[command(after_help = "Example:\n  reflexctl notifications template list --tenant huakang-east")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists the versions of a template, newest first.
    #[command(after_help = "Example:\n  reflexctl notifications template versions --key lead_assigned")]
    Versions {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows the words of a template as a file that can be changed and previewed.
    #[command(after_help = "Example:\n  reflexctl notifications template show --key lead_assigned > 新线索.md")]
    Show {
        #[command(flatten)]
        which: Which,
        /// Version; without it the one in use.
        #[arg(long, value_name = "N")]
        version: Option<i32>,
    },
    /// Shows how a template reads on each channel; needs no server.
    #[command(after_help = PREVIEW_HELP)]
    Preview(Preview),
}

#[derive(Debug, Args)]
struct Which {
    /// Kind of message.
    #[arg(long, value_parser = key_name)]
    key: Key,
    /// Language of the template.
    #[arg(long, value_parser = locale_name, default_value = "zh-CN")]
    locale: Locale,
}

#[derive(Debug, Args)]
struct Preview {
    #[command(flatten)]
    which: Which,
    /// File with the template.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// File with the facts, JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    facts: Option<PathBuf>,
    /// Message whose facts are put in; needs a server.
    #[arg(long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Kind of channel to show it for; without it every format is shown.
    #[arg(long, value_enum)]
    channel: Option<Channel>,
    /// Language of what is wrong.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

/// Where a message may be read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Channel {
    DingtalkRobot,
    WecomRobot,
    FeishuRobot,
    Inbox,
    Webhook,
    Email,
    Sms,
}

impl Channel {
    const fn format(self) -> Format {
        match self {
            Self::DingtalkRobot | Self::Inbox | Self::Webhook => Format::Markdown,
            Self::WecomRobot => Format::WecomMarkdown,
            Self::FeishuRobot => Format::FeishuMarkdown,
            Self::Email => Format::Html,
            Self::Sms => Format::Plain,
        }
    }
}

/// How a template reads, or what is wrong with it.
#[derive(Debug, Default)]
struct Shown {
    /// Format, title, text.
    renderings: Vec<(String, String, String)>,
    /// Field, code, sentence.
    problems: Vec<(String, String, String)>,
}

impl Template {
    pub(super) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            TemplateCommand::List { page } => self.list(page, output).await,
            TemplateCommand::Versions { which, page } => self.versions(which, page, output).await,
            TemplateCommand::Show { which, version } => self.show(which, *version, output).await,
            TemplateCommand::Preview(preview) => self.preview(preview, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn list(&self, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = TemplateServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let request = ListTemplatesRequest {
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_templates(request.clone()).await).await?;
        output.response("reflex.notifications.v1.ListTemplatesResponse", &response, |response| {
            table(output, &response.templates) + &more(&response.next_page_token)
        })?;
        Ok(())
    }

    async fn versions(&self, which: &Which, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = TemplateServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let request = ListTemplateVersionsRequest {
            key: which.key.as_str().to_owned(),
            locale: which.locale.as_str().to_owned(),
            page_size: page.page_size.min(100),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_template_versions(request.clone()).await).await?;
        let name = "reflex.notifications.v1.ListTemplateVersionsResponse";
        output.response(name, &response, |response| {
            table(output, &response.versions) + &more(&response.next_page_token)
        })?;
        Ok(())
    }

    async fn show(&self, which: &Which, version: Option<i32>, output: &Output) -> anyhow::Result<()> {
        let client = TemplateServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let request = GetTemplateRequest {
            key: which.key.as_str().to_owned(),
            locale: which.locale.as_str().to_owned(),
            version,
        };
        let response = answer(async || client.clone().get_template(request.clone()).await).await?;
        output.response("reflex.notifications.v1.GetTemplateResponse", &response, |response| {
            let template = response.template.clone().unwrap_or_default();
            format!("# {}\n\n{}\n", template.title, template.body)
        })?;
        Ok(())
    }

    async fn preview(&self, preview: &Preview, output: &Output) -> anyhow::Result<()> {
        let draft = preview.draft()?;
        let mut shown = match &preview.message {
            Some(message) => self.ask(preview, message, draft).await?,
            None => preview.here(draft)?,
        };
        if let Some(channel) = preview.channel {
            let format = channel.format().as_str();
            shown.renderings.retain(|(shown, ..)| shown == format);
        }
        shown.print(&preview.which, output)
    }

    /// Lets the server put in the facts of a message.
    async fn ask(&self, preview: &Preview, message: &str, draft: Option<(String, String)>) -> anyhow::Result<Shown> {
        let client = TemplateServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let (title, body) = draft.unwrap_or_default();
        let request = PreviewTemplateRequest {
            draft: Some(StoredTemplate {
                key: preview.which.key.as_str().to_owned(),
                locale: preview.which.locale.as_str().to_owned(),
                title,
                body,
                ..StoredTemplate::default()
            }),
            message: named("messages", message),
            ..PreviewTemplateRequest::default()
        };
        let response = answer(async || client.clone().preview_template(request.clone()).await).await?;
        Ok(Shown::told(response, preview.lang))
    }
}

impl Preview {
    /// Reads the template of a file, if one is given.
    fn draft(&self) -> anyhow::Result<Option<(String, String)>> {
        let Some(path) = &self.template else { return Ok(None) };
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let (title, body) = split(text.trim_start_matches('\u{feff}'))
            .with_context(|| format!("{}: the first line has to be the title, after \"# \"", path.display()))?;
        Ok(Some((title.to_owned(), body.replace("\r\n", "\n"))))
    }

    /// Shows it without a server.
    fn here(&self, draft: Option<(String, String)>) -> anyhow::Result<Shown> {
        let Which { key, locale } = self.which;
        let (title, body) = draft.unwrap_or_else(|| {
            let (title, body) = built_in(key, locale);
            (title.to_owned(), body.to_owned())
        });
        let path = self.facts.as_ref().context("--facts or --message is missing")?;
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let facts = facts(key, &text).with_context(|| path.display().to_string())?;
        match Words::parse(key, &title, &body) {
            Ok(template) => {
                let words = template.fill(key, &facts);
                let renderings = Format::ALL.map(|format| {
                    let (title, text) = (format.title(&words.title), format.body(&words.body));
                    (format.as_str().to_owned(), title, text)
                });
                Ok(Shown {
                    renderings: renderings.into(),
                    problems: Vec::new(),
                })
            }
            Err(problems) => {
                let told = problems.into_iter().map(|problem| {
                    let field = match problem.part {
                        reflex_templates::Part::Title => "template.title",
                        reflex_templates::Part::Body => "template.body",
                    };
                    let message = self.lang.pick(&problem.zh, &problem.en).to_owned();
                    (field.to_owned(), problem.code.as_str().to_owned(), message)
                });
                Ok(Shown {
                    renderings: Vec::new(),
                    problems: told.collect(),
                })
            }
        }
    }
}

impl Shown {
    fn told(response: PreviewTemplateResponse, lang: Language) -> Self {
        let renderings = response.renderings.into_iter().map(|rendering| {
            let format = word(rendering.format().as_str_name(), "FORMAT_");
            (format, rendering.title, rendering.text)
        });
        let problems = response.problems.into_iter().map(|problem| {
            let message = lang.pick(&problem.message_zh, &problem.message_en).to_owned();
            (problem.field, problem.code, message)
        });
        Self {
            renderings: renderings.collect(),
            problems: problems.collect(),
        }
    }

    fn print(self, which: &Which, output: &Output) -> anyhow::Result<()> {
        let object = json!({
            "key": which.key.as_str(),
            "locale": which.locale.as_str(),
            "problems": self.problems.iter()
                .map(|(field, code, message)| json!({"field": field, "code": code, "message": message}))
                .collect::<Vec<_>>(),
            "renderings": self.renderings.iter()
                .map(|(format, title, text)| json!({"format": format, "title": title, "text": text}))
                .collect::<Vec<_>>(),
        });
        output.object(&object, || {
            let shown = self.renderings.iter();
            let shown: Vec<_> = shown
                .map(|(format, title, text)| format!("[{format}]\n{title}\n\n{text}\n"))
                .collect();
            shown.join("\n")
        })?;
        if self.problems.is_empty() {
            return Ok(());
        }
        let told = self.problems.iter();
        let told: Vec<_> = told.map(|(field, _, message)| format!("{field}: {message}")).collect();
        bail!("{}", told.join("\n"))
    }
}

/// Reads facts: an object of texts, numbers and nothing.
fn facts(key: Key, text: &str) -> anyhow::Result<Facts> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(text).context("no JSON object")?;
    let mut facts = Facts::new();
    for (name, value) in object {
        let names: Vec<_> = key.variables().iter().map(|variable| variable.name).collect();
        ensure!(
            names.contains(&name.as_str()),
            "{} has no {name:?}; it has {}",
            key.as_str(),
            names.join(", ")
        );
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Null => continue,
            _ => bail!("{name:?} is no text"),
        };
        facts.insert(name, text);
    }
    Ok(facts)
}

fn table(output: &Output, templates: &[StoredTemplate]) -> String {
    let mut table = Table::new(["TEMPLATE", "LANGUAGE", "VERSION", "PUBLISHED", "BY", "TITLE"]);
    for template in templates {
        table.row([
            template.key.clone(),
            template.locale.clone(),
            template.version.to_string(),
            output.time(template.publish_time.as_ref()),
            template.publisher.clone(),
            one_line(&template.title),
        ]);
    }
    table.render(0)
}

fn key_name(text: &str) -> Result<Key, String> {
    Key::find(text).ok_or_else(|| format!("must be one of {}", Key::ALL.map(Key::as_str).join(", ")))
}

fn locale_name(text: &str) -> Result<Locale, String> {
    Locale::find(text).ok_or_else(|| format!("must be one of {}", Locale::ALL.map(Locale::as_str).join(", ")))
}
