//! What programs call themselves.

/// Words in the names of programs that fetch pages and send forms.
const PROGRAMS: [&str; 30] = [
    "python-",
    "python/",
    "urllib",
    "aiohttp",
    "httpx/",
    "curl/",
    "wget/",
    "scrapy",
    "headless",
    "phantomjs",
    "selenium",
    "webdriver",
    "puppeteer",
    "playwright",
    "go-http-client",
    "okhttp",
    "java/",
    "apache-httpclient",
    "libwww",
    "perl",
    "ruby",
    "postman",
    "insomnia",
    "axios/",
    "node-fetch",
    "guzzle",
    "mechanize",
    "spider",
    "crawl",
    "scanner",
];

/// Tells whether a user agent is that of a program without anybody in front of it.
pub(crate) fn is_program(user_agent: &str) -> bool {
    let agent = user_agent.to_ascii_lowercase();
    // Telephones of this make are no bots.
    let agent = agent.replace("cubot", "");
    PROGRAMS.iter().any(|program| agent.contains(program)) || has_bot(&agent)
}

/// Finds `bot` at the end of a word: `Googlebot/2.1`, `bot`; not `bottle`.
fn has_bot(agent: &str) -> bool {
    agent.split(|char: char| !char.is_ascii_alphanumeric()).any(|word| {
        word.trim_end_matches(|char: char| char.is_ascii_digit())
            .ends_with("bot")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_browsers() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                true,
            ),
            ("python-requests/2.31.0", true),
            ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0", true),
            ("curl/8.4.0", true),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
                false,
            ),
            ("Mozilla/5.0 (Linux; Android 12; CUBOT X30) Chrome/112.0 Mobile", false),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0.42",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(is_program(agent), expected, "{agent}");
        }
    }
}
