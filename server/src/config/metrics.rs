//! `LATCHKEY_METRICS_LISTEN`.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};

/// Where `/metrics` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// Nobody asked: at the usual address, if it is free.
    Usual(SocketAddr),
    /// Where the operator says.
    At(SocketAddr),
}

/// The port that OpenTelemetry's exporters for Prometheus use.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

impl MetricsListen {
    /// From the setting. `listen` is the public address.
    ///
    /// # Errors
    /// It is no address, or the public one.
    pub(super) fn parse(setting: Option<&str>, listen: SocketAddr) -> anyhow::Result<Self> {
        let address = match setting {
            None => return Ok(if listen == USUAL { Self::Off } else { Self::Usual(USUAL) }),
            Some("off") => return Ok(Self::Off),
            Some(address) => address.parse().context(
                "LATCHKEY_METRICS_LISTEN: give an address and port, like 127.0.0.1:9464, or off",
            )?,
        };
        if address == listen {
            bail!(
                "LATCHKEY_METRICS_LISTEN: metrics are not for the public; give an address that is not LATCHKEY_LISTEN’s"
            );
        }
        Ok(Self::At(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_on_loopback_unless_said_otherwise_and_never_public() {
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
}
