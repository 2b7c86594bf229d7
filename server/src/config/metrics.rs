//! `LATCHKEY_METRICS_LISTEN`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};

/// Whether and where the metrics listener runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsListen {
    /// The listener is disabled.
    Off,
    /// Nobody asked: at the usual address, if it is free.
    Usual(SocketAddr),
    /// Where the operator says.
    At(SocketAddr),
}

/// The port that OpenTelemetry's exporters for Prometheus use.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

impl MetricsListen {
    /// From the setting. `listen` is the public address.
    ///
    /// # Errors
    /// It is no address, or the public one.
    pub(super) fn parse(setting: Option<&str>, listen: SocketAddr) -> anyhow::Result<Self> {
        let address = match setting {
            None if overlap(USUAL, listen) => return Ok(Self::Off),
            None => return Ok(Self::Usual(USUAL)),
            Some("off") => return Ok(Self::Off),
            Some(address) => address.parse().context(
                "LATCHKEY_METRICS_LISTEN: specify an address and port, e.g. 127.0.0.1:9464, or off",
            )?,
        };
        if overlap(address, listen) {
            bail!(
                "LATCHKEY_METRICS_LISTEN: metrics are not for the public, and {address} overlaps \
                 with {listen} (LATCHKEY_LISTEN); use another port"
            );
        }
        Ok(Self::At(address))
    }

    /// Whether nobody beyond this machine and a private network reaches the listener.
    pub(super) fn is_private(self) -> bool {
        match self {
            Self::Off | Self::Usual(_) => true,
            Self::At(address) => is_private(address.ip()),
        }
    }
}

/// Whether only this machine or a private network has an address.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether a connection to the one may be one to the other: the same port, and an address that is
/// the same or means every address of the machine. Port 0 is a free one, another each time.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (left, right) = (one.ip().to_canonical(), other.ip().to_canonical());
    let same_address = left == right || left.is_unspecified() || right.is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_listen_on_loopback_by_default() {
        let listen = "0.0.0.0:3000".parse().unwrap();
        let parse = |setting| MetricsListen::parse(setting, listen);
        assert_eq!(parse(None).unwrap(), MetricsListen::Usual("127.0.0.1:9464".parse().unwrap()));
        assert_eq!(parse(Some("off")).unwrap(), MetricsListen::Off);
        let at = MetricsListen::At("10.0.0.1:9464".parse().unwrap());
        assert_eq!(parse(Some("10.0.0.1:9464")).unwrap(), at);
        for wrong in ["0.0.0.0:3000", "9464", ""] {
            assert!(
                parse(Some(wrong)).unwrap_err().to_string().contains("LATCHKEY_METRICS_LISTEN")
            );
        }
    }

    #[test]
    fn metrics_on_public_address_are_not_private() {
        let is_private = |address: &str| MetricsListen::At(address.parse().unwrap()).is_private();
        for address in ["127.0.0.1:1", "10.0.0.1:1", "[::1]:1", "[fd00::1]:1", "192.168.7.1:1"] {
            assert!(is_private(address), "{address}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "203.0.113.7:1", "[2001:db8::1]:1"] {
            assert!(!is_private(address), "{address}");
        }
        assert!(MetricsListen::Off.is_private());
    }

    #[test]
    fn metrics_address_is_rejected_when_it_overlaps_public_listener() {
        let parse = |metrics, listen: &str| {
            MetricsListen::parse(metrics, listen.parse().unwrap())
                .map_err(|error| error.to_string())
        };
        for (metrics, listen) in [
            ("127.0.0.1:3000", "0.0.0.0:3000"),
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "10.0.0.1:3000"),
            ("10.0.0.1:3000", "[::]:3000"),
            ("[::ffff:10.0.0.1]:3000", "10.0.0.1:3000"),
        ] {
            let refused = parse(Some(metrics), listen).unwrap_err();
            assert!(refused.contains("not for the public"), "{metrics} and {listen}: {refused}");
        }
        for (metrics, listen) in [
            ("0.0.0.0:9464", "0.0.0.0:3000"),
            ("10.0.0.2:3000", "10.0.0.1:3000"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert!(parse(Some(metrics), listen).is_ok(), "{metrics} and {listen}");
        }
        assert_eq!(parse(None, "0.0.0.0:9464").unwrap(), MetricsListen::Off);
    }
}
