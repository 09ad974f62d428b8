//! A mistake in the text, shown with a caret under its place.

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Byte offset in the text.
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// The message with its column (and line, where there are several), the line and a caret.
    pub(crate) fn show(&self, text: &str) -> String {
        let (before, after) = text.split_at_checked(self.at).unwrap_or((text, ""));
        let line_number = before.matches('\n').count() + 1;
        let start = before.rsplit('\n').next().unwrap_or_default();
        let end = after.split('\n').next().unwrap_or_default();
        let column = start.chars().count() + 1;
        let at = match text.contains('\n') {
            true => format!("line {line_number}, column {column}"),
            false => format!("column {column}"),
        };
        if text.trim().is_empty() {
            return format!("{at}: {}", self.message);
        }
        // A tab stays a tab, so that the caret stands under its place at any tab width.
        let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
        let indent: String = start.chars().map(blank).collect();
        format!("{at}: {}\n  {start}{end}\n  {indent}^", self.message)
    }
}
