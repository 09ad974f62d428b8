//! Text in every character set of the servers to UTF-8.
//!
//! Never a replacement character of its own: bytes that are no text are a fault. `encoding_rs` does the
//! work; where the servers' own tables differ from it, theirs win (`table.rs`).

mod table;

use encoding_rs::{DecoderResult, Encoding};

use crate::decode_error::ValueFault;
use table::Run;

/// A character set of the servers.
#[derive(Debug)]
pub(crate) struct Charset {
    name: &'static str,
    form: Form,
    /// What is not as `form` would have it; ascending.
    runs: &'static [Run],
    /// The collations that belong to it, from and to. MariaDB's derived numbers are folded first.
    collations: &'static [(u64, u64)],
}

/// How its bytes are read.
#[derive(Debug)]
enum Form {
    Binary,
    Utf8,
    Ascii,
    /// One byte a character.
    Single(&'static Encoding),
    /// One byte a character: the characters of 0x80 to 0xff.
    Table(&'static str),
    /// Two bytes a character from 0x81 on, single ones between the two bounds.
    Double(&'static Encoding, (u8, u8)),
    /// As `Double`, and three bytes behind 0x8f, two behind 0x8e.
    Euc(&'static Encoding),
    /// As `Double`, and four bytes where the second is a digit.
    Gb18030,
    /// The encoding knows its own lengths; no byte stands for ASCII by itself.
    Wide(&'static Encoding),
    Utf32,
}

/// No lead byte stands for a character by itself.
const NONE_SINGLE: (u8, u8) = (0xff, 0xfe);
/// Half-width katakana.
const SJIS_SINGLE: (u8, u8) = (0xa0, 0xdf);

impl Charset {
    /// The character set of a collation, by the server's number of it.
    pub(crate) fn of_collation(id: u64) -> Option<&'static Self> {
        let id = fold_collation(id);
        let holds = |c: &&Self| c.collations.iter().any(|(from, to)| (*from..=*to).contains(&id));
        CHARSETS.iter().find(holds)
    }

    /// By its name, in the server's words.
    pub(crate) fn of_name(name: &str) -> Option<&'static Self> {
        // The older name of the one with three bytes.
        let name = if name == "utf8" { "utf8mb3" } else { name };
        CHARSETS.iter().find(|charset| charset.name == name)
    }

    /// Its name, in the server's words.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(self.form, Form::Binary)
    }

    /// Whether its bytes are UTF-8 as they are.
    pub(crate) fn is_utf8(&self) -> bool {
        matches!(self.form, Form::Utf8)
    }

    /// Appends the text as UTF-8; on an error `out` holds a part of it.
    #[inline]
    pub(crate) fn append(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
        if bytes.is_ascii() && self.holds_ascii() {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        self.convert(bytes, out)
    }

    /// The text as a string.
    pub(crate) fn text(&self, bytes: &[u8]) -> Result<String, ValueFault> {
        let mut out = Vec::with_capacity(bytes.len());
        self.append(bytes, &mut out)?;
        String::from_utf8(out).map_err(|_| ValueFault::Text)
    }

    /// Whether bytes below 0x80 stand for ASCII.
    fn holds_ascii(&self) -> bool {
        match self.form {
            Form::Wide(_) | Form::Utf32 => false,
            Form::Ascii => self.runs.is_empty(),
            _ => true,
        }
    }

    #[inline(never)]
    fn convert(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
        match &self.form {
            Form::Binary | Form::Utf8 => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Form::Utf32 => convert_utf32(bytes, out),
            Form::Wide(encoding) => convert_run(encoding, bytes, out),
            Form::Single(encoding) | Form::Double(encoding, _) | Form::Euc(encoding)
                if self.runs.is_empty() =>
            {
                convert_run(encoding, bytes, out)
            }
            _ => self.convert_by_character(bytes, out),
        }
    }

    /// One character after the other, so that those of `runs` are seen.
    fn convert_by_character(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, tail) =
                rest.split_at_checked(self.character_bytes(rest)).ok_or(ValueFault::Text)?;
            rest = tail;
            let code = head.iter().fold(0, |code, byte| (code << 8) | u32::from(*byte));
            if let Some(character) = in_runs(self.runs, code) {
                push_char(out, character);
                continue;
            }
            match &self.form {
                _ if code < 0x80 => out.extend_from_slice(head),
                Form::Single(e) | Form::Double(e, _) | Form::Euc(e) => convert_run(e, head, out)?,
                Form::Gb18030 => convert_run(encoding_rs::GB18030, head, out)?,
                Form::Table(high) => {
                    let at = usize::try_from(code.saturating_sub(0x80)).unwrap_or(usize::MAX);
                    let character = high.chars().nth(at).filter(|c| *c != '\u{fffd}');
                    push_char(out, character.ok_or(ValueFault::Text)?);
                }
                _ => return Err(ValueFault::Text),
            }
        }
        Ok(())
    }

    /// How many bytes the first character takes.
    fn character_bytes(&self, rest: &[u8]) -> usize {
        let lead = rest.first().copied().unwrap_or(0);
        match (&self.form, lead) {
            (_, 0..=0x7f) => 1,
            (Form::Double(_, (from, to)), _) if (*from..=*to).contains(&lead) => 1,
            (Form::Double(..), _) => 2,
            (Form::Euc(_), 0x8f) => 3,
            (Form::Euc(_), _) => 2,
            (Form::Gb18030, _) if rest.get(1).is_some_and(u8::is_ascii_digit) => 4,
            (Form::Gb18030, _) => 2,
            _ => 1,
        }
    }
}

/// MariaDB's NOPAD collations stand 1,024 above their twins; its UCA 14.0.0 ones fill blocks of 256
/// for utf8mb3, utf8mb4, ucs2, utf16 and utf32.
fn fold_collation(id: u64) -> u64 {
    match id {
        1024..2048 => id - 1024,
        2048..2304 => 33,
        2304..2560 => 45,
        2560..2816 => 35,
        2816..3072 => 54,
        3072..3328 => 60,
        _ => id,
    }
}

fn in_runs(runs: &[Run], code: u32) -> Option<char> {
    let at = runs.partition_point(|(_, last, _)| *last < code);
    let (first, _, character) = runs.get(at).filter(|(first, _, _)| *first <= code)?;
    char::from_u32(character + (code - first))
}

fn push_char(out: &mut Vec<u8>, character: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}

fn convert_run(
    encoding: &'static Encoding,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most =
        decoder.max_utf8_buffer_length_without_replacement(bytes.len()).ok_or(ValueFault::Full)?;
    let start = out.len();
    out.resize(start.saturating_add(most), 0);
    let free = out.get_mut(start..).unwrap_or_default();
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, free, true);
    out.truncate(start.saturating_add(written));
    match result {
        DecoderResult::InputEmpty => Ok(()),
        DecoderResult::OutputFull | DecoderResult::Malformed(..) => Err(ValueFault::Text),
    }
}

fn convert_utf32(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
    let characters = bytes.chunks_exact(4);
    if !characters.remainder().is_empty() {
        return Err(ValueFault::Text);
    }
    for character in characters {
        let code = character.iter().fold(0, |code, byte| (code << 8) | u32::from(*byte));
        push_char(out, char::from_u32(code).ok_or(ValueFault::Text)?);
    }
    Ok(())
}

const fn charset(
    name: &'static str,
    form: Form,
    runs: &'static [Run],
    collations: &'static [(u64, u64)],
) -> Charset {
    Charset { name, form, runs, collations }
}

/// Every character set of MySQL 9.7 and MariaDB 11.8; the frequent ones first.
static CHARSETS: &[Charset] = &[
    charset("utf8mb4", Form::Utf8, &[], &[(45, 46), (224, 247), (255, 323), (608, 611)]),
    charset(
        "utf8mb3",
        Form::Utf8,
        &[],
        &[(33, 33), (76, 76), (83, 83), (192, 215), (223, 223), (576, 579)],
    ),
    charset(
        "latin1",
        Form::Single(encoding_rs::WINDOWS_1252),
        &[],
        &[(5, 5), (8, 8), (15, 15), (31, 31), (47, 49), (94, 94)],
    ),
    charset("binary", Form::Binary, &[], &[(63, 63)]),
    charset("ascii", Form::Ascii, &[], &[(11, 11), (65, 65)]),
    charset("gbk", Form::Double(encoding_rs::GBK, NONE_SINGLE), &[], &[(28, 28), (87, 87)]),
    charset("gb18030", Form::Gb18030, table::GB18030_RUNS, &[(248, 250)]),
    charset(
        "gb2312",
        Form::Double(encoding_rs::GBK, NONE_SINGLE),
        table::GB2312_RUNS,
        &[(24, 24), (86, 86)],
    ),
    charset(
        "big5",
        Form::Double(encoding_rs::BIG5, NONE_SINGLE),
        table::BIG5_RUNS,
        &[(1, 1), (84, 84)],
    ),
    charset(
        "sjis",
        Form::Double(encoding_rs::SHIFT_JIS, SJIS_SINGLE),
        table::SJIS_RUNS,
        &[(13, 13), (88, 88)],
    ),
    charset("cp932", Form::Double(encoding_rs::SHIFT_JIS, SJIS_SINGLE), &[], &[(95, 96)]),
    charset("ujis", Form::Euc(encoding_rs::EUC_JP), table::UJIS_RUNS, &[(12, 12), (91, 91)]),
    charset("eucjpms", Form::Euc(encoding_rs::EUC_JP), table::EUCJPMS_RUNS, &[(97, 98)]),
    charset("euckr", Form::Double(encoding_rs::EUC_KR, NONE_SINGLE), &[], &[(19, 19), (85, 85)]),
    charset("utf16", Form::Wide(encoding_rs::UTF_16BE), &[], &[(54, 55), (101, 124), (672, 674)]),
    charset("utf16le", Form::Wide(encoding_rs::UTF_16LE), &[], &[(56, 56), (62, 62)]),
    charset(
        "ucs2",
        Form::Wide(encoding_rs::UTF_16BE),
        &[],
        &[(35, 35), (90, 90), (128, 151), (159, 159), (640, 642)],
    ),
    charset("utf32", Form::Utf32, &[], &[(60, 61), (160, 183), (736, 738)]),
    charset(
        "cp1250",
        Form::Single(encoding_rs::WINDOWS_1250),
        &[],
        &[(26, 26), (34, 34), (44, 44), (66, 66), (99, 99)],
    ),
    charset(
        "cp1251",
        Form::Single(encoding_rs::WINDOWS_1251),
        &[],
        &[(14, 14), (23, 23), (50, 52)],
    ),
    charset("cp1256", Form::Single(encoding_rs::WINDOWS_1256), &[], &[(57, 57), (67, 67)]),
    charset("cp1257", Form::Single(encoding_rs::WINDOWS_1257), &[], &[(29, 29), (58, 59)]),
    charset("cp850", Form::Table(table::CP850), &[], &[(4, 4), (80, 80)]),
    charset("cp852", Form::Table(table::CP852), &[], &[(40, 40), (81, 81)]),
    charset("cp866", Form::Single(encoding_rs::IBM866), table::CP866_RUNS, &[(36, 36), (68, 68)]),
    charset("koi8r", Form::Single(encoding_rs::KOI8_R), &[], &[(7, 7), (74, 74)]),
    charset("koi8u", Form::Single(encoding_rs::KOI8_U), table::KOI8U_RUNS, &[(22, 22), (75, 75)]),
    charset(
        "latin2",
        Form::Single(encoding_rs::ISO_8859_2),
        &[],
        &[(2, 2), (9, 9), (21, 21), (27, 27), (77, 77)],
    ),
    charset(
        "latin5",
        Form::Single(encoding_rs::WINDOWS_1254),
        table::LATIN5_RUNS,
        &[(30, 30), (78, 78)],
    ),
    charset("latin7", Form::Single(encoding_rs::ISO_8859_13), &[], &[(20, 20), (41, 42), (79, 79)]),
    charset(
        "greek",
        Form::Single(encoding_rs::ISO_8859_7),
        table::GREEK_RUNS,
        &[(25, 25), (70, 70)],
    ),
    charset(
        "hebrew",
        Form::Single(encoding_rs::ISO_8859_8),
        table::HEBREW_RUNS,
        &[(16, 16), (71, 71)],
    ),
    charset(
        "tis620",
        Form::Single(encoding_rs::WINDOWS_874),
        table::TIS620_RUNS,
        &[(18, 18), (89, 89)],
    ),
    charset("macroman", Form::Single(encoding_rs::MACINTOSH), &[], &[(39, 39), (53, 53)]),
    charset("macce", Form::Table(table::MACCE), &[], &[(38, 38), (43, 43)]),
    charset("dec8", Form::Table(table::DEC8), &[], &[(3, 3), (69, 69)]),
    charset("hp8", Form::Table(table::HP8), &[], &[(6, 6), (72, 72)]),
    charset("keybcs2", Form::Table(table::KEYBCS2), &[], &[(37, 37), (73, 73)]),
    charset("armscii8", Form::Table(table::ARMSCII8), &[], &[(32, 32), (64, 64)]),
    charset("geostd8", Form::Table(table::GEOSTD8), &[], &[(92, 93)]),
    charset("swe7", Form::Ascii, table::SWE7_RUNS, &[(10, 10), (82, 82)]),
];

#[cfg(test)]
mod tests;
