//! The loads of members before and after, as a picture.

use std::fmt::Write as _;

use reflex_proto::leads::v1::simulate_routing_response::Summary;

const BAR: i32 = 11;
const ROW: i32 = 2 * BAR + 10;
const LEFT: i32 = 190;
const WIDTH: i32 = 480;
const TOP: i32 = 62;

/// Draws two bars a member: what they were given, and what they would have been given.
pub(super) fn loads(summary: &Summary) -> String {
    let rows = i32::try_from(summary.loads.len()).unwrap_or(i32::MAX / ROW / 2);
    let (width, height) = (LEFT + WIDTH + 70, TOP + rows * ROW + 14);
    let most = summary
        .loads
        .iter()
        .map(|load| load.given_before.max(load.given_after))
        .max();
    let most = most.unwrap_or(0).max(1);
    let scaled = |leads: i32| i64::from(leads) * i64::from(WIDTH) / i64::from(most);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>线索负载：之前与预演 / leads given, before and rehearsed</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\">线索负载：之前与预演 Leads given, before and rehearsed</text>\n\
         <rect x=\"12\" y=\"34\" width=\"12\" height=\"12\" fill=\"#9aa5b1\"/><text x=\"30\" y=\"45\">之前 before</text>\n\
         <rect x=\"130\" y=\"34\" width=\"12\" height=\"12\" fill=\"#2f6fdb\"/><text x=\"148\" y=\"45\">预演 rehearsed</text>\n\
         <text x=\"290\" y=\"45\">{} 条线索，{} 条归属不同 / {} leads, {} with another owner</text>\n",
        summary.lead_count, summary.owner_count, summary.lead_count, summary.owner_count
    );
    for (row, load) in (0..rows).zip(&summary.loads) {
        let top = TOP + row * ROW;
        let name = escaped(load.member.strip_prefix("members/").unwrap_or(&load.member));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
            LEFT - 10,
            top + BAR + 4
        );
        for (at, color, leads) in [
            (top, "#9aa5b1", load.given_before),
            (top + BAR, "#2f6fdb", load.given_after),
        ] {
            let length = scaled(leads);
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{at}\" width=\"{length}\" height=\"{}\" fill=\"{color}\"/>\
                 <text x=\"{}\" y=\"{}\" font-size=\"10\">{leads}</text>",
                BAR - 1,
                i64::from(LEFT) + length + 5,
                at + BAR - 2
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use reflex_proto::leads::v1::simulate_routing_response::Load;

    use super::*;

    fn load(member: &str, before: i32, after: i32) -> Load {
        Load {
            member: member.into(),
            given_before: before,
            given_after: after,
            peak_before: before,
            peak_after: after,
        }
    }

    #[test]
    fn bars_are_as_long_as_the_leads_and_names_are_harmless() {
        let summary = Summary {
            loads: vec![load("members/<b>", 10, 40), load("members/li", 20, 0)],
            ..Summary::default()
        };
        let svg = loads(&summary);
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"));
        for width in ["width=\"120\"", "width=\"480\"", "width=\"240\"", "width=\"0\""] {
            assert!(svg.contains(width), "{width}: {svg}");
        }
    }

    #[test]
    fn nobody_is_a_picture_as_well() {
        assert!(loads(&Summary::default()).ends_with("</svg>\n"));
    }
}
