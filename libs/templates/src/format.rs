//! How a message reads in the format of a channel. What comes in is our own Markdown, in which the texts of others have lost
//! their marks already (`text::harmless`); what is left of marks was meant by whoever wrote the template.
//!
//! Every format understands the same: headings, lists, quotes, bold and inline code, and links that lead to the web. Nothing in
//! a text calls people, whatever it says: that is done beside the text, by those who send it.

/// How a channel wants its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Markdown as it is written, for example of `DingTalk`.
    Markdown,
    /// The Markdown of `WeCom`, in which `<@…>` calls people.
    WecomMarkdown,
    /// The Markdown of Feishu's cards, in which `<at …>` calls people and nothing is a heading.
    FeishuMarkdown,
    /// A part of a page, for example of a mail.
    Html,
    /// Without marks, for example of a text message.
    Plain,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Markdown,
        Self::WecomMarkdown,
        Self::FeishuMarkdown,
        Self::Html,
        Self::Plain,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::WecomMarkdown => "wecom_markdown",
            Self::FeishuMarkdown => "feishu_markdown",
            Self::Html => "html",
            Self::Plain => "plain",
        }
    }

    /// Writes a body in this format.
    #[must_use]
    pub fn body(self, markdown: &str) -> String {
        match self {
            Self::Markdown => markdown.to_owned(),
            Self::WecomMarkdown => markdown.replace("<@", "＜@"),
            Self::FeishuMarkdown => feishu(markdown),
            Self::Html => html(markdown),
            Self::Plain => plain(markdown),
        }
    }

    /// Writes a title, which is plain text, where this format is to show it.
    #[must_use]
    pub fn title(self, title: &str) -> String {
        match self {
            Self::Html => escaped(title),
            _ => title.to_owned(),
        }
    }
}

/// What a line is, without the mark that says so.
enum Line<'t> {
    Heading(usize, &'t str),
    Entry(&'t str),
    Quote(&'t str),
    Text(&'t str),
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Self {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if let (1..=6, Some(heading)) = (level, heading.strip_prefix(' ')) {
            return Self::Heading(level, heading);
        }
        if let Some(entry) = line.strip_prefix("- ") {
            return Self::Entry(entry);
        }
        match line.strip_prefix("> ") {
            Some(quote) => Self::Quote(quote),
            None => Self::Text(line),
        }
    }
}

fn feishu(markdown: &str) -> String {
    let lines = markdown.split('\n').map(|line| match Line::of(line) {
        // Bold within bold would end it.
        Line::Heading(_, heading) => format!("**{}**", heading.replace("**", "")),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n").replace("<at", "＜at")
}

fn plain(markdown: &str) -> String {
    let lines = markdown.lines().map(|line| match Line::of(line) {
        Line::Heading(_, heading) => unmarked(heading),
        Line::Entry(entry) => format!("- {}", unmarked(entry)),
        Line::Quote(quote) => unmarked(quote),
        Line::Text(text) => unmarked(text),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Takes the marks out of a line; a link shows where it leads.
fn unmarked(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for span in spans(line) {
        match span {
            Span::Text(words) | Span::Bold(words) | Span::Code(words) => text.push_str(words),
            Span::Link(words, address) => {
                text.push_str(words);
                text.push('（');
                text.push_str(address);
                text.push('）');
            }
        }
    }
    // A mark that opens nothing is no word either.
    text.replace("**", "").replace('`', "")
}

fn html(markdown: &str) -> String {
    let mut page = String::with_capacity(markdown.len() * 2);
    let mut open = "";
    for line in markdown.lines() {
        let (block, text) = match Line::of(line) {
            Line::Entry(entry) => ("ul", format!("<li>{}</li>", inline(entry))),
            Line::Quote(quote) => ("blockquote", format!("<p>{}</p>", inline(quote))),
            Line::Heading(level, heading) => ("", format!("<h{level}>{}</h{level}>", inline(heading))),
            Line::Text(text) if text.trim().is_empty() => ("", String::new()),
            Line::Text(text) => ("", format!("<p>{}</p>", inline(text))),
        };
        if block != open {
            close(&mut page, open);
            if !block.is_empty() {
                push(&mut page, &["<", block, ">\n"]);
            }
            open = block;
        }
        if !text.is_empty() {
            page.push_str(&text);
            page.push('\n');
        }
    }
    close(&mut page, open);
    page
}

fn close(page: &mut String, block: &str) {
    if !block.is_empty() {
        push(page, &["</", block, ">\n"]);
    }
}

fn push(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

fn inline(line: &str) -> String {
    let mut text = String::with_capacity(line.len() * 2);
    for span in spans(line) {
        match span {
            Span::Text(words) => text.push_str(&escaped(words)),
            Span::Bold(words) => push(&mut text, &["<strong>", &escaped(words), "</strong>"]),
            Span::Code(words) => push(&mut text, &["<code>", &escaped(words), "</code>"]),
            Span::Link(words, address) => push(
                &mut text,
                &[
                    "<a href=\"",
                    &escaped(address),
                    "\" rel=\"noopener noreferrer\">",
                    &escaped(words),
                    "</a>",
                ],
            ),
        }
    }
    text
}

/// Makes text of whatever could be read as HTML, inside an attribute too.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A part of a line.
enum Span<'t> {
    Text(&'t str),
    Bold(&'t str),
    Code(&'t str),
    /// Words, and an address of the web.
    Link(&'t str, &'t str),
}

/// Takes a line apart. Marks are not nested: what is inside one is text.
fn spans(line: &str) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < line.len() {
        let rest = &line[at..];
        match marked(rest) {
            Some((span, length)) => {
                if start < at {
                    spans.push(Span::Text(&line[start..at]));
                }
                spans.push(span);
                at += length;
                start = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    if start < line.len() {
        spans.push(Span::Text(&line[start..]));
    }
    spans
}

/// Reads what a text begins with, if that is marked, and how long it is with its marks.
fn marked(text: &str) -> Option<(Span<'_>, usize)> {
    let within = |mark: &str| {
        let words = text.strip_prefix(mark)?;
        let words = &words[..words.find(mark)?];
        (!words.is_empty()).then_some((words, words.len() + 2 * mark.len()))
    };
    if let Some((words, length)) = within("**") {
        return Some((Span::Bold(words), length));
    }
    if let Some((words, length)) = within("`") {
        return Some((Span::Code(words), length));
    }
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, _) = rest.split_once(')')?;
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let is_plain = !address.contains(|char: char| char.is_whitespace() || char.is_control());
    let length = words.len() + address.len() + 4;
    (is_web && is_plain && !words.contains(['[', ']'])).then_some((Span::Link(words, address), length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::harmless;

    const MESSAGE: &str = "### 新线索 L-1\n- 客户：**华东 & 机床**（`x<y`）\n- 见 [详情](https://reflex.example/a?b=1&c=2)\n\n> 引用\n请 <b>尽快</b> 跟进";

    #[test]
    fn a_message_reads_the_same_everywhere_as_far_as_the_format_goes() {
        assert_eq!(Format::Markdown.body(MESSAGE), MESSAGE);
        assert_eq!(
            Format::Plain.body(MESSAGE),
            "新线索 L-1\n- 客户：华东 & 机床（x<y）\n- 见 详情（https://reflex.example/a?b=1&c=2）\n\n引用\n请 <b>尽快</b> 跟进"
        );
        assert_eq!(
            Format::Html.body(MESSAGE),
            "<h3>新线索 L-1</h3>\n<ul>\n<li>客户：<strong>华东 &amp; 机床</strong>（<code>x&lt;y</code>）</li>\n\
             <li>见 <a href=\"https://reflex.example/a?b=1&amp;c=2\" rel=\"noopener noreferrer\">详情</a></li>\n</ul>\n\
             <blockquote>\n<p>引用</p>\n</blockquote>\n<p>请 &lt;b&gt;尽快&lt;/b&gt; 跟进</p>\n"
        );
        assert!(
            Format::FeishuMarkdown
                .body(MESSAGE)
                .starts_with("**新线索 L-1**\n- 客户：**华东")
        );
        assert_eq!(Format::WecomMarkdown.body(MESSAGE), MESSAGE);
    }

    #[test]
    fn nobody_is_called_by_a_text() {
        assert_eq!(Format::WecomMarkdown.body("<@all> 请看"), "＜@all> 请看");
        assert_eq!(Format::FeishuMarkdown.body("<at id=all></at>"), "＜at id=all></at>");
    }

    #[test]
    fn links_lead_to_the_web_and_nowhere_else() {
        for (link, expected) in [
            ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
            ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
            (
                "[a](https://x.example\" onclick=\"b)",
                "<p>[a](https://x.example&quot; onclick=&quot;b)</p>\n",
            ),
            (
                "[a](https://x.example\"b)",
                "<p><a href=\"https://x.example&quot;b\" rel=\"noopener noreferrer\">a</a></p>\n",
            ),
        ] {
            assert_eq!(Format::Html.body(link), expected);
        }
        assert_eq!(Format::Html.title("<a> & \"b\""), "&lt;a&gt; &amp; &quot;b&quot;");
        assert_eq!(Format::Plain.title("<a>"), "<a>");
    }

    #[test]
    fn marks_that_open_nothing_are_text() {
        assert_eq!(Format::Html.body("**a `b [c"), "<p>**a `b [c</p>\n");
        assert_eq!(Format::Plain.body("#话题\n****"), "#话题\n");
        assert_eq!(Format::Plain.body("####### 七"), "####### 七");
    }

    proptest! {
        /// Whatever somebody typed: in HTML it opens no tag, in Markdown no mark, and it never breaks its line.
        #[test]
        fn texts_of_others_stay_texts(value in "\\PC{0,80}|[-*_#`<>@!|~&\"'(){}\\[\\]\\\\/: a\n\r]{0,80}") {
            let said = harmless(&value);
            let message = format!("### 标题\n- 客户：**{said}**");
            let html = Format::Html.body(&message);
            prop_assert_eq!(html.matches('<').count(), "<h3></h3><ul><li><strong></strong></li></ul>".matches('<').count());
            prop_assert_eq!(html.matches("<strong>").count(), 1);
            for format in [Format::Markdown, Format::WecomMarkdown, Format::FeishuMarkdown, Format::Plain] {
                let body = format.body(&message);
                prop_assert_eq!(body.lines().count(), 2, "{}", format.as_str());
                prop_assert!(!body.contains("](") && !body.contains("<@") && !body.contains("<at"));
                prop_assert!(!body.contains("://"), "chats make links of addresses");
            }
        }

        /// Whatever a template says, HTML has balanced tags of ours alone.
        #[test]
        fn html_is_balanced(markdown in "[-*#`<>a&\"'()\\[\\]: \nhtps/.]{0,200}") {
            let html = Format::Html.body(&markdown);
            for tag in ["ul", "li", "p", "blockquote", "strong", "code", "h1", "h2", "h3", "h4", "h5", "h6"] {
                let open = html.matches(&format!("<{tag}>")).count();
                prop_assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "{}", tag);
            }
            prop_assert_eq!(html.matches("<a ").count(), html.matches("</a>").count());
        }
    }
}
