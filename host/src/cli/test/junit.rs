//! The report that build servers read, in the form of JUnit's XML.

use std::fmt::Write as _;
use std::time::Duration;

/// Cases and how they ended.
#[derive(Default)]
pub(super) struct Report {
    cases: Vec<(String, Duration, Vec<String>)>,
}

impl Report {
    /// One more case; without problems it passed.
    pub(super) fn add(&mut self, name: &str, took: Duration, problems: Vec<String>) {
        self.cases.push((name.to_owned(), took, problems));
    }

    /// The report.
    pub(super) fn xml(&self) -> String {
        let seconds: f64 = self.cases.iter().map(|(_, took, _)| took.as_secs_f64()).sum();
        let failures = self.cases.iter().filter(|(_, _, problems)| !problems.is_empty()).count();
        let tests = self.cases.len();
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing to a String cannot fail.
        let _ = writeln!(
            xml,
            r#"<testsuite name="sluice" tests="{tests}" failures="{failures}" time="{seconds:.3}">"#
        );
        for (name, took, problems) in &self.cases {
            let (name, took) = (escaped(name), took.as_secs_f64());
            let _ = write!(xml, r#"  <testcase name="{name}" time="{took:.3}""#);
            let Some(first) = problems.first() else {
                xml.push_str("/>\n");
                continue;
            };
            let (first, all) = (escaped(first), escaped(&problems.join("\n")));
            let _ = writeln!(xml, r#"><failure message="{first}">{all}</failure></testcase>"#);
        }
        xml.push_str("</testsuite>\n");
        xml
    }
}

/// Text within an element or an attribute. XML 1.0 has no control characters, escaped or not.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_every_case_and_what_is_wrong_with_it() {
        let mut report = Report::default();
        report.add("good", Duration::from_millis(120), Vec::new());
        let problems = vec!["expected \"<a>\"  got \"\u{1}&\"".to_owned(), "second".to_owned()];
        report.add("bad", Duration::from_secs(1), problems);
        insta::assert_snapshot!(report.xml(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuite name="sluice" tests="2" failures="1" time="1.120">
          <testcase name="good" time="0.120"/>
          <testcase name="bad" time="1.000"><failure message="expected &quot;&lt;a&gt;&quot;  got &quot;?&amp;&quot;">expected &quot;&lt;a&gt;&quot;  got &quot;?&amp;&quot;&#10;second</failure></testcase>
        </testsuite>
        "#);
    }
}
