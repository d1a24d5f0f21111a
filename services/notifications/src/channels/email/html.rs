//! Writes our Markdown as HTML: headings, lists, quotes, bold words, code and links. Everything else is text, and no text is
//! markup.

use std::fmt::Write as _;

/// Writes a text as a page of its own.
pub(super) fn page(markdown: &str) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n");
    let mut is_list = false;
    for line in markdown.lines() {
        let item = line.strip_prefix("- ");
        if item.is_some() != is_list {
            page.push_str(if is_list { "</ul>\n" } else { "<ul>\n" });
            is_list = item.is_some();
        }
        if let Some(item) = item {
            let _fine = writeln!(page, "<li>{}</li>", inline(item));
        } else if let Some((level, heading)) = heading(line) {
            let _fine = writeln!(page, "<h{level}>{}</h{level}>", inline(heading));
        } else if let Some(quote) = line.strip_prefix("> ") {
            let _fine = writeln!(page, "<blockquote>{}</blockquote>", inline(quote));
        } else if !line.trim().is_empty() {
            let _fine = writeln!(page, "<p>{}</p>", inline(line));
        }
    }
    if is_list {
        page.push_str("</ul>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text.strip_prefix(' ')?;
    (1..=6).contains(&level).then_some((level, text))
}

/// Writes what stands inside a line.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['*', '`', '[']) {
        let (before, marked) = rest.split_at(at);
        html.push_str(&escape(before));
        let Some((mark, after)) = mark(marked) else {
            // A sign that begins nothing; all of them are one byte.
            html.push_str(&escape(&marked[..1]));
            rest = &marked[1..];
            continue;
        };
        html.push_str(&mark);
        rest = after;
    }
    html.push_str(&escape(rest));
    html
}

/// Reads a marked part at the start of a text; returns it as HTML, and what comes after it.
fn mark(text: &str) -> Option<(String, &str)> {
    let between = |start: &str, end: &str| -> Option<(&str, &str)> {
        let (inner, after) = text.strip_prefix(start)?.split_once(end)?;
        (!inner.is_empty()).then_some((inner, after))
    };
    if let Some((bold, after)) = between("**", "**") {
        return Some((format!("<strong>{}</strong>", escape(bold)), after));
    }
    if let Some((code, after)) = between("`", "`") {
        return Some((format!("<code>{}</code>", escape(code)), after));
    }
    let (words, after) = between("[", "](")?;
    let (address, after) = after.split_once(')')?;
    // No scripts, no mail programs, no files.
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    is_web.then(|| {
        let link = format!("<a href=\"{}\">{}</a>", escape(address), escape(words));
        (link, after)
    })
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(markdown: &str) -> String {
        let page = page(markdown);
        let (_, body) = page.split_once("<body>\n").unwrap();
        body.strip_suffix("</body></html>\n").unwrap().to_owned()
    }

    #[test]
    fn what_our_templates_use_is_shown() {
        for (markdown, html) in [
            ("### 新线索 L-1", "<h3>新线索 L-1</h3>\n"),
            (
                "- 客户：**华东机床**\n- `x`\n\n请跟进",
                "<ul>\n<li>客户：<strong>华东机床</strong></li>\n<li><code>x</code></li>\n</ul>\n<p>请跟进</p>\n",
            ),
            ("> 引用", "<blockquote>引用</blockquote>\n"),
            (
                "[领取](https://reflex.example/a?b=1&c=2)。",
                "<p><a href=\"https://reflex.example/a?b=1&amp;c=2\">领取</a>。</p>\n",
            ),
        ] {
            assert_eq!(body(markdown), html);
        }
    }

    #[test]
    fn no_text_is_markup() {
        for (markdown, html) in [
            (
                "<script>alert(1)</script>",
                "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
            ),
            ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
            (
                "[x](https://a\" onclick=\"b)",
                "<p><a href=\"https://a&quot; onclick=&quot;b\">x</a></p>\n",
            ),
            ("**<b>** ** `", "<p><strong>&lt;b&gt;</strong> ** `</p>\n"),
            ("####### x", "<p>####### x</p>\n"),
        ] {
            assert_eq!(body(markdown), html);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_opens_no_other_element(markdown in "[-#>*`\\[\\]()a<\"'&线:/\n ]{0,80}") {
            let body = body(&markdown);
            for (at, _) in body.match_indices('<') {
                let known = ["h1", "h2", "h3", "h4", "h5", "h6", "ul>", "li>", "p>", "strong>", "code>", "blockquote>", "a href=\"http", "a>"];
                let tag = body[at + 1..].trim_start_matches('/');
                prop_assert!(known.iter().any(|known| tag.starts_with(known)), "{body}");
            }
        }
    }
}
