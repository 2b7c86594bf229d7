//! `Content-Encoding` of requests, and decompression that never exceeds the maximum body size.

use std::io::Read;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use latchkey_domain::problem::{ErrorCode, Problem};
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::http::problem::Refusal;

/// How far back a frame of zstd may refer, as the exponent of 2: 32 MiB, which is all of the
/// largest body, as a frame in one piece may do. No more than this is held beside what is unpacked.
const WINDOW_LOG: u32 = 25;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    /// What a request says of its body.
    ///
    /// # Errors
    /// 415 for another coding, or for several.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let coding = codings.next().map(|value| value.to_str().unwrap_or("?").trim());
        match coding.map(str::to_ascii_lowercase).as_deref() {
            _ if codings.next().is_some() => {}
            None | Some("" | "identity") => return Ok(Self::Identity),
            Some("gzip" | "x-gzip") => return Ok(Self::Gzip),
            Some("deflate") => return Ok(Self::Deflate),
            Some("zstd") => return Ok(Self::Zstd),
            Some(_) => {}
        }
        Err(Refusal::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body uncompressed or with Content-Encoding: gzip, deflate or zstd.",
        ))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }

    /// What a body holds, at most so many bytes.
    ///
    /// # Errors
    /// `TooLarge`, or `Malformed` if it is not packed as it says.
    pub(super) fn unpack(self, sent: Bytes, most: usize) -> Result<Bytes, Problem> {
        let mut unpacked = Decompressed { body: Vec::new(), most };
        let whole = match self {
            Self::Identity => return Ok(sent),
            Self::Gzip => unpacked.read(MultiGzDecoder::new(&*sent)),
            // HTTP means zlib's frame by this name; some senders leave it away.
            Self::Deflate if is_zlib(&sent) => unpacked.read(ZlibDecoder::new(&*sent)),
            Self::Deflate => unpacked.read(DeflateDecoder::new(&*sent)),
            Self::Zstd => unpacked.read_zstd(&sent),
        };
        if unpacked.body.len() > most {
            let mib = most / (1024 * 1024);
            let detail = format!("The body exceeds {mib} MiB after decompression.");
            return Err(Problem::new(ErrorCode::TooLarge, detail));
        }
        whole.map(|()| unpacked.body.into()).ok_or_else(|| {
            let detail = format!(
                "The body can’t be decompressed as {}, its Content-Encoding.",
                self.as_str()
            );
            Problem::new(ErrorCode::Malformed, detail)
        })
    }
}

/// Deflate in a window of up to 32 KiB, and a check of the two bytes: 31 divides them.
fn is_zlib(sent: &[u8]) -> bool {
    matches!(sent, [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

/// What has been unpacked: one byte more than may be, if there is more.
struct Decompressed {
    body: Vec<u8>,
    most: usize,
}

impl Decompressed {
    /// Reads to the end; none: the source is broken.
    fn read(&mut self, source: impl Read) -> Option<()> {
        let left = (self.most + 1).saturating_sub(self.body.len());
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        source.take(left).read_to_end(&mut self.body).ok().map(|_| ())
    }

    /// Frames may follow each other.
    fn read_zstd(&mut self, sent: &[u8]) -> Option<()> {
        let mut decoder = ZstdDecoder::with_buffer(sent).ok()?;
        decoder.window_log_max(WINDOW_LOG).ok()?;
        self.read(decoder)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const MOST: usize = 1024 * 1024;

    fn packed(coding: Coding, body: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => body.to_vec(),
            Coding::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(body).unwrap();
                gzip.finish().unwrap()
            }
            Coding::Deflate => {
                let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
                zlib.write_all(body).unwrap();
                zlib.finish().unwrap()
            }
            Coding::Zstd => zstd::encode_all(body, 1).unwrap(),
        }
    }

    const PACKED: [Coding; 3] = [Coding::Gzip, Coding::Deflate, Coding::Zstd];

    #[test]
    fn compressed_bodies_are_decompressed() {
        let body = b"{\"traces\":[]}".repeat(1_000);
        for coding in PACKED {
            let sent = Bytes::from(packed(coding, &body));
            assert_eq!(coding.unpack(sent, MOST).unwrap(), body, "{coding:?}");
            let empty = Bytes::from(packed(coding, b""));
            assert!(coding.unpack(empty, MOST).unwrap().is_empty(), "{coding:?}");
        }
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(&body).unwrap();
        let raw = Bytes::from(raw.finish().unwrap());
        assert_eq!(Coding::Deflate.unpack(raw, MOST).unwrap(), body);
        for coding in [Coding::Gzip, Coding::Zstd] {
            let twice = Bytes::from(packed(coding, b"a").repeat(2));
            assert_eq!(coding.unpack(twice, MOST).unwrap(), "aa", "{coding:?}");
        }
    }

    #[test]
    fn no_more_is_unpacked_than_a_body_may_hold() {
        for coding in PACKED {
            let exact = Bytes::from(packed(coding, &vec![0; MOST]));
            assert_eq!(coding.unpack(exact, MOST).unwrap().len(), MOST);
            for more in [1, MOST, 16 * MOST] {
                let sent = Bytes::from(packed(coding, &vec![0; MOST + more]));
                let refused = coding.unpack(sent, MOST).unwrap_err();
                assert_eq!(refused.code, ErrorCode::TooLarge, "{coding:?} {more}");
                assert_eq!(refused.detail, "The body exceeds 1 MiB after decompression.");
            }
        }
    }

    #[test]
    fn wrongly_compressed_body_is_malformed() {
        let body = b"{\"traces\":[]}".repeat(100);
        for coding in PACKED {
            let whole = packed(coding, &body);
            let cut = whole[..whole.len() / 2].to_vec();
            for sent in [Vec::new(), b"{\"traces\":[]}".to_vec(), cut] {
                let refused = coding.unpack(sent.clone().into(), MOST).unwrap_err();
                assert_eq!(refused.code, ErrorCode::Malformed, "{coding:?} {sent:?}");
            }
        }
    }

    /// A zstd frame that contains an `a`, with these bytes between its magic number and its block.
    fn frame(header: &[u8]) -> Vec<u8> {
        [&[0x28, 0xb5, 0x2f, 0xfd], header, &[0x09, 0, 0], b"a"].concat()
    }

    #[test]
    fn frames_of_zstd_are_read_one_after_the_other_to_their_end() {
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0], &b"no"[..]].concat();
        let whole = [frame(&[0, 0x78]), skipped, frame(&[0, 0])].concat();
        assert_eq!(Coding::Zstd.unpack(whole.clone().into(), MOST).unwrap(), "aa");
        let garbage = [&whole[..], b"garbage"].concat();
        // The end of a frame is wanted of the last one too.
        for sent in [whole[..whole.len() - 1].to_vec(), whole[..14].to_vec(), garbage] {
            let refused = Coding::Zstd.unpack(sent.into(), MOST).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Malformed);
        }
    }

    #[test]
    fn frames_of_zstd_that_take_more_than_a_body_are_malformed() {
        // It refers 64 MiB back; and to a dictionary.
        for sent in [frame(&[0, 0x80]), frame(&[1, 0, 7])] {
            let refused = Coding::Zstd.unpack(sent.clone().into(), MOST).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Malformed, "{sent:?}");
        }
        let mut checked = zstd::Encoder::new(Vec::new(), 1).unwrap();
        checked.include_checksum(true).unwrap();
        checked.write_all(b"body").unwrap();
        let mut checked = checked.finish().unwrap();
        assert_eq!(Coding::Zstd.unpack(checked.clone().into(), MOST).unwrap(), "body");
        *checked.last_mut().unwrap() ^= 1;
        assert!(Coding::Zstd.unpack(checked.into(), MOST).is_err());
    }
}
