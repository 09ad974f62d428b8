//! What may stand as one segment of a path; the host refuses everything else.

use std::borrow::Cow;

use crate::Unsafe;

/// Bytes of a value; a file system's limit for one path segment.
const BYTES_MAX: usize = 255;

/// The value, made safe where that is asked for.
///
/// # Errors
/// What is wrong with it. Too long is always an error: a value that is cut may become another's.
pub(crate) fn safe(value: &str, policy: Unsafe) -> Result<Cow<'_, str>, &'static str> {
    if value.len() > BYTES_MAX {
        return Err("is longer than 255 bytes");
    }
    let why = match value {
        "" => "is empty",
        "." | ".." => "is `.` or `..`",
        _ if value.contains(is_refused) => "contains a slash, backslash or control character",
        _ => return Ok(Cow::Borrowed(value)),
    };
    match (policy, value) {
        (Unsafe::Reject, _) => Err(why),
        (Unsafe::Replace, "") => Ok(Cow::Borrowed("_")),
        (Unsafe::Replace, "." | "..") => Ok(Cow::Owned(value.replace('.', "_"))),
        (Unsafe::Replace, _) => Ok(Cow::Owned(value.replace(is_refused, "_"))),
    }
}

fn is_refused(c: char) -> bool {
    c == '/' || c == '\\' || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_leaves_its_folder() {
        let cases = [
            ("", "_"),
            (".", "_"),
            ("..", "__"),
            ("../etc", ".._etc"),
            ("a\\b\0c\n", "a_b_c_"),
            ("a\u{85}b", "a_b"),
        ];
        for (value, replaced) in cases {
            assert!(safe(value, Unsafe::Reject).is_err(), "{value:?}");
            assert_eq!(safe(value, Unsafe::Replace).as_deref(), Ok(replaced), "{value:?}");
        }
        for value in ["eu", "a.b", "...", "ü x=1"] {
            assert_eq!(safe(value, Unsafe::Reject).as_deref(), Ok(value));
            assert_eq!(safe(value, Unsafe::Replace).as_deref(), Ok(value));
        }
        assert!(safe(&"x".repeat(256), Unsafe::Replace).is_err());
    }
}
