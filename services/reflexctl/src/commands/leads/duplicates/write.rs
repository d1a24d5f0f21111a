//! The files that are written.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reflex_matching::{Comparison, Field, Finding, Verdict};

use super::rows::Rows;
use crate::cli::Language;

/// The pairs, where somebody wants them.
pub(super) struct Pairs<'a> {
    file: Option<(PathBuf, csv::Writer<File>)>,
    fields: &'a [Field],
    lang: Language,
}

impl<'a> Pairs<'a> {
    pub(super) fn create(path: Option<&Path>, fields: &'a [Field], lang: Language) -> anyhow::Result<Self> {
        let mut pairs = Self {
            file: None,
            fields,
            lang,
        };
        if let Some(path) = path {
            let mut writer = create(path)?;
            let names = fields.iter().map(|field| field.name());
            writer.write_record(
                ["id_a", "id_b", "score", "verdict"]
                    .into_iter()
                    .chain(names)
                    .chain(["why"]),
            )?;
            pairs.file = Some((path.to_owned(), writer));
        }
        Ok(pairs)
    }

    pub(super) fn add(
        &mut self,
        ids: [&str; 2],
        score: f64,
        verdict: Verdict,
        comparison: &Comparison,
    ) -> anyhow::Result<()> {
        let Some((path, writer)) = &mut self.file else {
            return Ok(());
        };
        let mut cells: Vec<String> = ids.map(str::to_owned).into();
        cells.extend([format!("{score:.4}"), verdict.name().to_owned()]);
        let mut why = Vec::new();
        for field in self.fields {
            let evidence = comparison.field(*field);
            if evidence.finding == Finding::Missing {
                cells.push(String::new());
                continue;
            }
            cells.push(format!("{:.3}", evidence.similarity));
            let sentence = self.lang.pick(evidence.finding.zh(), evidence.finding.en());
            why.push(format!("{}: {sentence} ({:+.1})", field.name(), evidence.bits()));
        }
        cells.push(why.join("; "));
        writer
            .write_record(&cells)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Some((path, mut writer)) = self.file {
            writer
                .flush()
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }
}

/// Writes the cluster of each row, in the order of the file.
pub(super) fn clusters(path: &Path, rows: &Rows, clusters: &[usize]) -> anyhow::Result<()> {
    let mut writer = create(path)?;
    let unwritable = || format!("{} cannot be written", path.display());
    writer.write_record(["id", "cluster"]).with_context(unwritable)?;
    let mut order: Vec<usize> = (0..rows.order.len()).collect();
    order.sort_unstable_by_key(|place| rows.order[*place]);
    for place in order {
        writer
            .write_record([&rows.ids[place], &rows.ids[clusters[place]]])
            .with_context(unwritable)?;
    }
    writer.flush().with_context(unwritable)
}

fn create(path: &Path) -> anyhow::Result<csv::Writer<File>> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(csv::Writer::from_writer(file))
}
