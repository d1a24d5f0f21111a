//! What people read about a link, and what programs do.

use axum::{
    Json,
    response::{Html, IntoResponse as _, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, VARY, X_FRAME_OPTIONS},
};
use reflex_proto::{
    notifications::v1::{
        Action,
        action::{Kind, State},
    },
    platform::v1::Reason,
};
use serde_json::json;

use super::Failure;
use crate::{
    forms::{language, page::escaped},
    problem::Problem,
};

/// The page loads nothing, is shown in no frame, and posts to nobody else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1f2329}\
    main{max-width:26rem;margin:12vh auto 0;padding:1.5rem;background:#fff;border-radius:.75rem}\
    h1{font-size:1.25rem;margin:0 0 .75rem}p{margin:.5rem 0;overflow-wrap:anywhere}\
    button{width:100%;margin-top:1rem;padding:.75rem;border:0;border-radius:.5rem;background:#1664ff;color:#fff;font:inherit}";

/// What came of using a link.
pub(super) enum Answer {
    /// How it stands.
    Shown(Action),
    /// It was done just now.
    Done(Action),
}

/// Makes a page of it, or JSON for whoever asks for that.
pub(super) fn render(answer: Result<Answer, Failure>, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants = |media: &str| accept.is_some_and(|accept| accept.contains(media));
    let mut response = if wants("application/json") && !wants("text/html") {
        program(answer)
    } else {
        page(answer, language::asked(headers))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // The address is the key.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-language"));
    response
}

fn program(answer: Result<Answer, Failure>) -> Response {
    let action = match answer {
        Ok(Answer::Shown(action) | Answer::Done(action)) => action,
        Err(failure) => return problem(failure).into_response(),
    };
    let time = |time: Option<prost_types::Timestamp>| time.map(|time| time.to_string());
    let body = json!({
        "action": word(action.kind().as_str_name(), "KIND_"),
        "state": word(action.state().as_str_name(), "STATE_"),
        "message": action.message,
        "subject": action.subject,
        "title": action.title,
        "recipient": action.recipient,
        "recipient_name": action.recipient_display_name,
        "expire_time": time(action.expire_time),
        "answer_time": time(action.answer_time),
    });
    (status(action.state()), Json(body)).into_response()
}

fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::NoUse => Problem::not_found("the link is wrong or has expired"),
        Failure::TooMany(wait) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many links were wrong")
            .because(Reason::Overloaded)
            .retry_after(wait),
        Failure::Refused(_) => {
            Problem::new(StatusCode::CONFLICT, "it cannot be done any more").because(Reason::WrongState)
        }
        Failure::Problem(problem) => problem,
    }
}

fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

const fn status(state: State) -> StatusCode {
    match state {
        State::Erased | State::Withdrawn => StatusCode::GONE,
        State::Open | State::Answered | State::Unspecified => StatusCode::OK,
    }
}

/// What a page says.
struct Page {
    status: StatusCode,
    heading: String,
    lines: Vec<String>,
    /// Words of the button, where there is something to do.
    button: Option<&'static str>,
}

fn page(answer: Result<Answer, Failure>, asked: Option<&'static str>) -> Response {
    let of = |action: &Action| {
        if asked.unwrap_or(&action.locale) == "en" {
            EN
        } else {
            ZH
        }
    };
    let without_action = if asked == Some("en") { EN } else { ZH };
    let (words, page, wait) = match answer {
        Ok(Answer::Shown(action)) => (of(&action), shown(of(&action), &action, false), None),
        Ok(Answer::Done(action)) => (of(&action), shown(of(&action), &action, true), None),
        Err(Failure::Refused(action)) => {
            let words = of(&action);
            let lines = vec![action.title.clone(), words.with(words.refused, &action)];
            (
                words,
                Page::says(StatusCode::CONFLICT, words.heading(&action), lines),
                None,
            )
        }
        Err(Failure::NoUse) => (without_action, without_action.plain(StatusCode::NOT_FOUND), None),
        Err(Failure::TooMany(wait)) => {
            let page = without_action.plain(StatusCode::TOO_MANY_REQUESTS);
            (without_action, page, Some(wait.as_secs() + 1))
        }
        Err(Failure::Problem(problem)) => {
            let status = problem.status();
            let wait = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
            (without_action, without_action.plain(status), wait)
        }
    };
    let mut response = (page.status, Html(html(&page, words))).into_response();
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn shown(words: &'static Words, action: &Action, just_now: bool) -> Page {
    let state = action.state();
    let mut lines = vec![action.title.clone()];
    let (said, button) = match state {
        State::Open => (words.of(action).question, Some(words.of(action).button)),
        State::Answered if just_now => (words.done_now, None),
        State::Erased => (words.erased, None),
        State::Withdrawn => (words.withdrawn, None),
        State::Answered | State::Unspecified => (words.done_before, None),
    };
    lines.push(words.with(said, action));
    Page {
        button,
        ..Page::says(status(state), words.heading(action), lines)
    }
}

impl Page {
    fn says(status: StatusCode, heading: String, lines: Vec<String>) -> Self {
        Self {
            status,
            heading,
            lines,
            button: None,
        }
    }
}

fn html(page: &Page, words: &Words) -> String {
    let heading = escaped(&page.heading);
    let lines = page.lines.iter().filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(|line| format!("<p>{}</p>", escaped(line))).collect();
    let lines = lines.concat();
    let button = page
        .button
        .map(|label| format!("<form method=\"post\"><button>{label}</button></form>"));
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{heading}</title>\
         <style>{STYLE}</style></head><body><main><h1>{heading}</h1>{lines}{}</main></body></html>\n",
        words.lang,
        button.unwrap_or_default(),
    )
}

/// The sentences of a language; `{name}` stands for whom the message was sent to, `{time}` for when it was done, `{done}` for
/// what.
struct Words {
    lang: &'static str,
    ack: OfAction,
    claim: OfAction,
    confirm: OfAction,
    ignore: OfAction,
    done_now: &'static str,
    done_before: &'static str,
    refused: &'static str,
    erased: &'static str,
    withdrawn: &'static str,
    no_use: &'static str,
    too_many: &'static str,
    later: &'static str,
}

struct OfAction {
    heading: &'static str,
    question: &'static str,
    button: &'static str,
    done: &'static str,
}

impl Words {
    fn of(&self, action: &Action) -> &OfAction {
        match action.kind() {
            Kind::Claim => &self.claim,
            Kind::Confirm => &self.confirm,
            Kind::Ignore => &self.ignore,
            Kind::Ack | Kind::Unspecified => &self.ack,
        }
    }

    fn heading(&self, action: &Action) -> String {
        self.of(action).heading.to_owned()
    }

    fn with(&self, sentence: &str, action: &Action) -> String {
        let name = if action.recipient_display_name.is_empty() {
            &action.recipient
        } else {
            &action.recipient_display_name
        };
        // The name goes in last: whatever it has in it stays what it is.
        sentence
            .replace("{time}", &action.answer_time_shown)
            .replace("{done}", self.of(action).done)
            .replace("{name}", name)
    }

    fn plain(&self, status: StatusCode) -> Page {
        let sentence = match status {
            StatusCode::NOT_FOUND => self.no_use,
            StatusCode::TOO_MANY_REQUESTS => self.too_many,
            _ => self.later,
        };
        Page::says(status, sentence.to_owned(), Vec::new())
    }
}

static ZH: &Words = &Words {
    lang: "zh-CN",
    ack: OfAction {
        heading: "确认通知",
        question: "将以 {name} 的名义确认已知悉这条通知。",
        button: "知道了",
        done: "已确认知悉",
    },
    claim: OfAction {
        heading: "认领线索",
        question: "将以 {name} 的名义认领这条线索。",
        button: "认领",
        done: "已认领",
    },
    confirm: OfAction {
        heading: "登记首次联系",
        question: "将以 {name} 的名义登记一次电话联系。",
        button: "已联系客户",
        done: "已登记电话联系",
    },
    ignore: OfAction {
        heading: "忽略通知",
        question: "将以 {name} 的名义忽略这条通知。",
        button: "忽略",
        done: "已忽略",
    },
    done_now: "完成：{name} {done}（{time}）。",
    done_before: "此前已处理：{name} {done}（{time}），无需再次操作。",
    refused: "无法完成：这条线索已不在 {name} 名下，或已有新的进展。请登录系统查看。",
    erased: "相关资料已按当事人的要求删除，无需处理。",
    withdrawn: "相关线索已撤回，无需处理。",
    no_use: "链接无效或已过期",
    too_many: "尝试次数过多，请稍后再试",
    later: "暂时无法处理，请稍后再试",
};

static EN: &Words = &Words {
    lang: "en",
    ack: OfAction {
        heading: "Acknowledge",
        question: "This says, in the name of {name}, that the message was understood.",
        button: "Got it",
        done: "acknowledged it",
    },
    claim: OfAction {
        heading: "Claim the lead",
        question: "This claims the lead in the name of {name}.",
        button: "Claim",
        done: "claimed the lead",
    },
    confirm: OfAction {
        heading: "Record the first call",
        question: "This records a call in the name of {name}.",
        button: "Customer called",
        done: "recorded the call",
    },
    ignore: OfAction {
        heading: "Ignore",
        question: "This says, in the name of {name}, that nothing will be done.",
        button: "Ignore",
        done: "ignored it",
    },
    done_now: "Done: {name} {done} ({time}).",
    done_before: "It was done before: {name} {done} ({time}).",
    refused: "It cannot be done: the lead is no longer with {name}, or has moved on. Please look at it in the system.",
    erased: "What this was about was erased at the person's request. There is nothing to do.",
    withdrawn: "The lead was withdrawn. There is nothing to do.",
    no_use: "The link is wrong or has expired",
    too_many: "Too many wrong links, please try again later",
    later: "This cannot be done at the moment, please try again later",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_no_markup_and_no_placeholder() {
        let action = Action {
            kind: Kind::Claim.into(),
            state: State::Answered.into(),
            recipient_display_name: "<b>{time}</b>".into(),
            answer_time_shown: "03-02 10:00".into(),
            title: "<script>alert(1)</script>".into(),
            ..Action::default()
        };
        let text = html(&shown(ZH, &action, false), ZH);
        assert!(
            text.contains("&lt;b&gt;{time}&lt;/b&gt; 已认领（03-02 10:00）"),
            "{text}"
        );
        assert!(!text.contains("<script>") && !text.contains("<form"), "{text}");
    }

    #[test]
    fn both_languages_have_every_sentence_in_its_own_words() {
        for (zh, en) in [
            (ZH.done_now, EN.done_now),
            (ZH.done_before, EN.done_before),
            (ZH.refused, EN.refused),
        ] {
            for placeholder in ["{name}", "{time}", "{done}"] {
                assert_eq!(zh.contains(placeholder), en.contains(placeholder), "{zh}");
            }
        }
        let of = |words: &'static Words| [&words.ack, &words.claim, &words.confirm, &words.ignore];
        for (zh, en) in of(ZH).into_iter().zip(of(EN)) {
            assert!(zh.question.contains("{name}") && en.question.contains("{name}"));
            assert!(en.heading.is_ascii() && !zh.heading.is_ascii());
        }
    }
}
