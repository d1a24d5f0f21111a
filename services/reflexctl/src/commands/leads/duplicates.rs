//! `reflexctl leads duplicates`: which rows of a file are about the same, found here and without a server.

mod columns;
mod rows;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reflex_matching::{Found, Model, Record, Verdict, Weights, find};
use reflex_table::{Dialect, Encoding};
use serde_json::json;

use crate::cli::Language;
use crate::output::{Output, Table};
use columns::Mapping;
use rows::Rows;

pub(super) const HELP: &str = "\
Fields: id, company, contact, mobile, phone, email, address, city, postcode, birth_date, code (unified social credit code or
another number of the kind) and time (when the row came in); any of them may be missing. --map FIELD=COLUMN says which column a
field is in; several columns are joined with +. Without --map, columns are known by their usual names. The encoding (UTF-8,
UTF-16, GB18030) and what stands between the columns are found out.

Rows with a company and a contact, or with a mobile, are compared as leads: the same person at the same company. All others are
compared by weights that the rows themselves teach; no labels are needed. --model says otherwise.

Pairs: id_a (the earlier), id_b, score, verdict (suspected or duplicate), a column for each mapped field with how alike both are
between 0 and 1, and why. Clusters: id and cluster, the id of its earliest row; every row is in it.

The weights file is YAML or JSON: threshold, and how much fields count, between 0 and 3:
  {\"threshold\": 0.9, \"fields\": {\"address\": 0.5, \"company\": 1.5}}

JSON: {\"rows\", \"model\", \"fields\", \"threshold\", \"compared\", \"pairs\": {\"suspected\", \"duplicate\"},
       \"clusters\": {\"count\", \"rows\", \"surplus\", \"sizes\": {\"2\": …}}}

Examples:
  reflexctl leads duplicates --input 线索.csv --pairs pairs.csv --clusters clusters.csv
  reflexctl leads duplicates --input leads.csv --map id=lead_id --map company=company --map contact=contact_name \\
    --map mobile=mobile --map phone=phone --map email=email --pairs pairs.csv --threshold 0.9
  reflexctl leads duplicates --input people.csv --map contact=given_name+surname --map birth_date=date_of_birth \\
    --map address=street_number+address_1 --map city=suburb --map postcode=postcode --clusters clusters.csv -o json";

/// Finds which rows of a CSV file are about the same person, company or household; needs no server.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Duplicates {
    /// CSV file with a header line.
    #[arg(long, value_name = "CSV")]
    input: PathBuf,
    /// Column that a field is in; may be repeated, also for one field.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = columns::parse_mapping)]
    map: Vec<Mapping>,
    /// Writes the pairs that are the same as far as can be told.
    #[arg(long, value_name = "CSV")]
    pairs: Option<PathBuf>,
    /// Writes the cluster of each row.
    #[arg(long, value_name = "CSV")]
    clusters: Option<PathBuf>,
    /// Score from which two rows are suspected to be the same, between 0.5 and 1; 0.85 unless the weights file says otherwise.
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f64>,
    /// Threshold and weights, as YAML or JSON.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// How rows are compared.
    #[arg(long, value_enum, default_value_t = ModelChoice::Auto)]
    model: ModelChoice,
    /// Encoding of the file, such as utf-8, gbk, utf-16le.
    #[arg(long, default_value = "", hide_default_value = true)]
    encoding: String,
    /// Language of the reasons.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelChoice {
    /// As the fields suggest.
    Auto,
    /// As leads: people at companies.
    Leads,
    /// By weights that the rows teach.
    Learned,
}

/// What was found, in numbers.
struct Summary {
    suspected: usize,
    duplicate: usize,
    /// Clusters of more than one row, by size.
    sizes: BTreeMap<usize, usize>,
}

impl Duplicates {
    pub(super) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let weights = self.weights()?;
        let dialect = Dialect {
            encoding: self.encoding()?,
            delimiter: None,
        };
        let rows = Rows::read(&self.input, dialect, &self.map).with_context(|| self.input.display().to_string())?;
        let model = match self.model {
            ModelChoice::Auto => Model::suited(&rows.fields),
            ModelChoice::Leads => Model::Leads,
            ModelChoice::Learned => Model::Learned,
        };
        let style = ProgressStyle::with_template("{bar:30} {percent}% compared, {eta} left");
        let progress = ProgressBar::new(1_000).with_style(style.expect("the template is a literal"));
        let found = find(&rows.records, model, &weights, |share| {
            progress.set_position(thousandths(share));
        });
        progress.finish_and_clear();
        let summary = self.write(&rows, &found, weights.threshold)?;
        let told = Told {
            rows: &rows,
            found: &found,
            summary: &summary,
            model,
            threshold: weights.threshold,
        };
        output.object(&told.json(), || told.render())?;
        Ok(())
    }

    fn weights(&self) -> anyhow::Result<Weights> {
        let mut weights = match &self.weights {
            None => Weights::default(),
            Some(file) => {
                let text =
                    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
                serde_norway::from_str(&text).with_context(|| format!("{} are no weights", file.display()))?
            }
        };
        if let Some(threshold) = self.threshold {
            weights.threshold = threshold;
        }
        if let Some((field, fault)) = weights.fault() {
            anyhow::bail!("{field}: {fault}");
        }
        Ok(weights)
    }

    fn encoding(&self) -> anyhow::Result<Option<Encoding>> {
        if self.encoding.is_empty() {
            return Ok(None);
        }
        let found = Encoding::find(&self.encoding);
        anyhow::ensure!(
            found.is_some(),
            "{:?} is no encoding; utf-8, gbk and utf-16le are some",
            self.encoding
        );
        Ok(found)
    }

    fn write(&self, rows: &Rows, found: &Found, threshold: f64) -> anyhow::Result<Summary> {
        let mut pairs = write::Pairs::create(self.pairs.as_deref(), &rows.fields, self.lang)?;
        let mut summary = Summary {
            suspected: 0,
            duplicate: 0,
            sizes: found.sizes(),
        };
        summary.sizes.remove(&1);
        for pair in &found.pairs {
            let (left, right): (&Record, &Record) = (&rows.records[pair.left], &rows.records[pair.right]);
            let comparison = found.explain(left, right);
            let verdict = reflex_matching::Comparison {
                score: pair.score,
                ..comparison
            }
            .verdict(threshold);
            match verdict {
                Verdict::Duplicate => summary.duplicate += 1,
                _ => summary.suspected += 1,
            }
            pairs.add(
                [&rows.ids[pair.left], &rows.ids[pair.right]],
                pair.score,
                verdict,
                &comparison,
            )?;
        }
        pairs.finish()?;
        if let Some(file) = &self.clusters {
            write::clusters(file, rows, &found.clusters)?;
        }
        Ok(summary)
    }
}

impl Summary {
    fn clusters(&self) -> usize {
        self.sizes.values().sum()
    }

    fn rows(&self) -> usize {
        self.sizes.iter().map(|(size, count)| size * count).sum()
    }
}

/// All that the end tells.
struct Told<'a> {
    rows: &'a Rows,
    found: &'a Found,
    summary: &'a Summary,
    model: Model,
    threshold: f64,
}

impl Told<'_> {
    fn json(&self) -> serde_json::Value {
        let summary = self.summary;
        let sizes: BTreeMap<String, usize> = summary
            .sizes
            .iter()
            .map(|(size, count)| (size.to_string(), *count))
            .collect();
        json!({
            "rows": self.rows.records.len(),
            "model": self.model.name(),
            "fields": self.fields(),
            "threshold": self.threshold,
            "compared": self.found.compared,
            "pairs": {"suspected": summary.suspected, "duplicate": summary.duplicate},
            "clusters": {
                "count": summary.clusters(),
                "rows": summary.rows(),
                "surplus": summary.rows() - summary.clusters(),
                "sizes": sizes,
            },
        })
    }

    fn render(&self) -> String {
        let summary = self.summary;
        let count = self.rows.records.len().to_string();
        let mut table = Table::new(["rows", &count]);
        let fields = self.fields().join(", ");
        table.row(["compared as".to_owned(), format!("{} by {fields}", self.model.name())]);
        table.row(["pairs compared".to_owned(), self.found.compared.to_string()]);
        table.row(["duplicate pairs".to_owned(), summary.duplicate.to_string()]);
        table.row(["suspected pairs".to_owned(), summary.suspected.to_string()]);
        let (clusters, rows) = (summary.clusters(), summary.rows());
        let told = format!("{clusters} of {rows} rows, {} of them surplus", rows - clusters);
        table.row(["clusters".to_owned(), told]);
        table.render(0)
    }

    fn fields(&self) -> Vec<&'static str> {
        self.rows.fields.iter().map(|field| field.name()).collect()
    }
}

fn thousandths(share: f64) -> u64 {
    // The share is between 0 and 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let position = (share.clamp(0.0, 1.0) * 1_000.0) as u64;
    position
}
