//! The client address from the headers of proxies: `X-Forwarded-For` and `Forwarded` (RFC 7239).
//!
//! Each proxy appends a hop, so hops are read from the right, as long as trusted proxies wrote
//! them. An unreadable hop yields no address: falling back to the proxy's address would admit every
//! client behind it to networks that are allowed for the proxy only.
//!
//! If both headers are present, they must yield the same address. A proxy that writes one of them
//! forwards the client's version of the other, and no setting says which one it writes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use latchkey_domain::limit::Cidr;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind `peer`: the first from the right that is no trusted proxy's, or
/// the farthest one if all are. None if a hop on the way there can't be read.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    if !is_trusted(peer) {
        return Some(peer);
    }
    let for_lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = for_lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',').map(node));
    let by_usual = first_untrusted(peer, hops, is_trusted);
    if !headers.contains_key(FORWARDED) {
        return by_usual;
    }
    let standard_lines = headers.get_all(FORWARDED).iter().rev();
    let hops = standard_lines.flat_map(|line| elements(line.as_bytes()).into_iter().rev());
    let by_standard = first_untrusted(peer, hops, is_trusted);
    let agreed = !headers.contains_key(X_FORWARDED_FOR) || by_usual == by_standard;
    by_standard.filter(|_| agreed)
}

/// Walks the hops from the one that wrote last.
fn first_untrusted(
    peer: IpAddr,
    hops: impl Iterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops {
        client = hop?;
        if !is_trusted(client) {
            break;
        }
    }
    Some(client)
}

/// One hop: an address, with a port or without, in quotes or not. An IPv4 address in IPv6's form is
/// that IPv4 address.
fn node(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => text,
    };
    let ip = if let Some(bracketed) = text.strip_prefix('[') {
        let (ip, after) = bracketed.split_once(']')?;
        if !after.is_empty() && !after.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?)
    } else if let Ok(ip) = text.parse() {
        ip
    } else {
        let (ip, port) = text.split_once(':')?;
        IpAddr::V4(ip.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?)
    };
    Some(ip.to_canonical())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A part that does not keep to the grammar of `Forwarded`.
struct Malformed;

/// The hops of a line of `Forwarded`. A line that does not keep to the grammar is one hop that
/// can't be read: a quotation mark that a client left open would otherwise hide what the proxy
/// wrote behind it.
fn elements(line: &[u8]) -> Vec<Option<IpAddr>> {
    let hops = Unquoted::new(line, b',').map(|element| forwarded_for(element?));
    hops.collect::<Result<_, _>>().unwrap_or_else(|_: Malformed| vec![None])
}

/// The `for` of one element; none if there is none that can be read.
fn forwarded_for(element: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let mut found = None;
    for pair in Unquoted::new(element, b';') {
        let pair = pair?.trim_ascii();
        if pair.is_empty() {
            continue;
        }
        let equals = pair.iter().position(|byte| *byte == b'=').ok_or(Malformed)?;
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        if !name.iter().copied().all(is_token) || !is_value(value) {
            return Err(Malformed);
        }
        if name.eq_ignore_ascii_case(b"for") && found.replace(node(value)).is_some() {
            return Err(Malformed);
        }
    }
    Ok(found.flatten())
}

/// A token, which may hold what an unquoted address needs, or one quoted string and nothing beside
/// it.
fn is_value(value: &[u8]) -> bool {
    match value {
        [b'"', inner @ .., b'"'] => {
            let mut escaped = false;
            let closed_early = inner.iter().any(|byte| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            });
            !closed_early && !escaped
        }
        _ => value.iter().all(|byte| is_token(*byte) || matches!(byte, b':' | b'[' | b']')),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Parts of a text between separators outside quoted strings; one whose quotes stay open is
/// malformed.
struct Unquoted<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Unquoted<'a> {
    const fn new(text: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Unquoted<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                separator if *separator == self.separator && !quoted => {
                    self.rest = Some(&rest[at + 1..]);
                    return Some(Ok(&rest[..at]));
                }
                _ => {}
            }
        }
        Some(if quoted { Err(Malformed) } else { Ok(rest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[(HeaderName, &[u8])]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client(peer.parse().unwrap(), &headers, &trusted).map(|ip| ip.to_string())
    }

    fn usual(text: &[u8]) -> Option<String> {
        seen("10.0.0.1", &[(X_FORWARDED_FOR, text)])
    }

    fn standard(text: &str) -> Option<String> {
        seen("10.0.0.1", &[(FORWARDED, text.as_bytes())])
    }

    #[test]
    fn stranger_claims_no_address() {
        for name in [X_FORWARDED_FOR, FORWARDED] {
            let forged = [(name, &b"for=198.51.100.1"[..])];
            assert_eq!(seen("203.0.113.9", &forged).as_deref(), Some("203.0.113.9"));
            assert_eq!(seen("::ffff:203.0.113.9", &forged).as_deref(), Some("203.0.113.9"));
        }
    }

    #[test]
    fn hops_are_read_in_every_usual_form() {
        for (text, address) in [
            ("198.51.100.1", "198.51.100.1"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("\"198.51.100.1:4711\"", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("[::ffff:c633:6401]:4711", "198.51.100.1"),
            ("6.6.6.6, \t198.51.100.1 ,10.0.0.2", "198.51.100.1"),
            ("what, 198.51.100.1, 10.0.0.2:80, [fd00::1]:80, ::ffff:10.0.0.3", "198.51.100.1"),
            // All of them are trusted: the request began at the farthest.
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ] {
            assert_eq!(usual(text.as_bytes()).as_deref(), Some(address), "{text}");
        }
        assert_eq!(seen("10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
        let lines = [(X_FORWARDED_FOR, &b"6.6.6.6"[..]), (X_FORWARDED_FOR, b"198.51.100.1")];
        assert_eq!(seen("10.0.0.1", &lines).as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn unreadable_hop_gives_no_address() {
        for text in [
            &b"what"[..],
            b"",
            b"198.51.100.1,",
            b"198.51.100.1, unknown",
            b"198.51.100.1, unix:",
            b"198.51.100.1, \xff\xfe, 10.0.0.2",
            b"198.51.100.1:",
            b"198.51.100.1:http",
            b"198.51.100.1:123456",
            b"[198.51.100.1]",
            b"[2001:db8::1",
            b"[2001:db8::1]x",
            b"2001:db8::1:65536",
            b"fe80::1%eth0",
            b"\"198.51.100.1",
            b"198.51.100.256",
        ] {
            assert_eq!(usual(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        for (text, address) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"198.51.100.1:4711\";proto=http;by=10.0.0.9", "198.51.100.1"),
            ("for=6.6.6.6, for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; for=198.51.100.1;host=\"a, b;for=6.6.6.6\"", "198.51.100.1"),
            ("for=_hidden, for=198.51.100.1, for=10.0.0.2;by=\"\\\"x\\\"\"", "198.51.100.1"),
        ] {
            assert_eq!(standard(text).as_deref(), Some(address), "{text}");
        }
        for text in [
            "",
            "198.51.100.1",
            "proto=https",
            "for=unknown",
            "for=_hidden",
            "for=",
            "for=198.51.100.1;for=198.51.100.2",
            "for=198.51.100.1,",
            "for=\"198.51.100.1",
            "for=\"198.51.100.1\"x",
            "for=198.51.100.1;host=\"a\\\"",
        ] {
            assert_eq!(standard(text), None, "{text}");
        }
    }

    #[test]
    fn open_quotes_of_a_client_forge_no_hop() {
        // Each first part is the client's, each second one the proxy's, on one line.
        for text in [
            "for=\"x, for=203.0.113.9",
            "for=\"x, for=\"[2001:db8::1]:4711\"",
            "for=\"x, for=203.0.113.9;host=\",for=6.6.6.6;a=\"",
            "for=\"x, for=203.0.113.9;host=\",for=6.6.6.6;a=\\\"b\"",
        ] {
            assert_eq!(standard(text), None, "{text}");
        }
        let lines = [(FORWARDED, &b"for=\"x"[..]), (FORWARDED, b"for=203.0.113.9")];
        assert_eq!(seen("10.0.0.1", &lines).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn both_headers_have_to_agree() {
        let both = |usual: &str, standard: &str| {
            let lines = [(X_FORWARDED_FOR, usual.as_bytes()), (FORWARDED, standard.as_bytes())];
            seen("10.0.0.1", &lines)
        };
        let agreed = both("198.51.100.1", "for=6.6.6.6, for=\"198.51.100.1:80\"");
        assert_eq!(agreed.as_deref(), Some("198.51.100.1"));
        assert_eq!(both("198.51.100.1", "for=198.51.100.2"), None);
        assert_eq!(both("198.51.100.1", "for=unknown"), None);
        assert_eq!(both("unknown", "for=198.51.100.1"), None);
    }
}
