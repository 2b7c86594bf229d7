//! Counts the records of an export while it downloads.

/// Counts the records of a CSV (RFC 4180). A line break between quotes is part of a cell.
#[derive(Debug, Default)]
pub struct Records {
    ended: u64,
    is_quoted: bool,
    is_open: bool,
}

impl Records {
    /// Takes in the next bytes, wherever they were cut.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if !self.is_quoted => {
                    self.ended += 1;
                    self.is_open = false;
                    continue;
                }
                // A quote in a cell is doubled: it ends the quotes and begins them again.
                b'"' => self.is_quoted = !self.is_quoted,
                _ => {}
            }
            self.is_open = true;
        }
    }

    /// How many records there were but for the header.
    pub fn without_header(&self) -> u64 {
        (self.ended + u64::from(self.is_open)).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> u64 {
        let mut records = Records::default();
        records.take(text.as_bytes());
        records.without_header()
    }

    #[test]
    fn a_line_break_in_quotes_ends_no_record() {
        assert_eq!(count("id,name\r\n"), 0);
        assert_eq!(count("id,name\r\n1,a\r\n2,b\r\n"), 2);
        assert_eq!(count("id,name\r\n1,a\r\n2,b"), 2);
        assert_eq!(count("id,name\r\n1,\"a\r\nb\"\r\n2,\"say \"\"hi\r\n\"\"\"\r\n"), 2);
        assert_eq!(count(""), 0);
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_were_cut() {
        let text = "id,name\r\n1,\"a\r\n\"\"b\"\"\"\r\n2,\"é\"\r\n".as_bytes();
        for cut in 0..text.len() {
            let mut records = Records::default();
            records.take(&text[..cut]);
            records.take(&text[cut..]);
            assert_eq!(records.without_header(), 2, "{cut}");
        }
    }
}
