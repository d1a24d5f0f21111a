//! Texts that are not there yet. Only here an evaluation allocates.

use std::borrow::Cow;
use std::fmt::Write;

use crate::EvalError;
use crate::typed::TextOp;

use super::{Run, any, value};

/// Evaluates a text.
pub(super) fn calculate<'e>(run: &Run<'e>, operation: &'e TextOp) -> Result<Option<Cow<'e, str>>, EvalError> {
    match operation {
        TextOp::Join(parts) => {
            let mut text = String::new();
            for part in parts {
                let start = text.len();
                write!(text, "{}", any(run, part)?).expect("writing to a String cannot fail");
                run.spend(text.len() - start)?;
            }
            Ok(Some(Cow::Owned(text)))
        }
        TextOp::Lower(text) => {
            let Some(text) = value(run, text)? else { return Ok(None) };
            run.spend(text.len())?;
            Ok(Some(Cow::Owned(text.to_lowercase())))
        }
        TextOp::Upper(text) => {
            let Some(text) = value(run, text)? else { return Ok(None) };
            run.spend(text.len())?;
            Ok(Some(Cow::Owned(text.to_uppercase())))
        }
        TextOp::Trim(text) => Ok(match value(run, text)? {
            Some(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.trim())),
            Some(Cow::Owned(text)) => Some(Cow::Owned(text.trim().to_owned())),
            None => None,
        }),
    }
}
