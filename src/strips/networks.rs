//! The networks in which strips may lie.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// One network, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn holds(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                own.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                own.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is no network such as 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix = prefix.parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest {
            return Err(bad());
        }
        Ok(Self { address, prefix })
    }
}

/// Several networks.
#[derive(Clone, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    pub fn hold(&self, ip: IpAddr) -> bool {
        // An address of version 4 in the clothes of version 6 is what it is.
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.holds(ip))
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |network: &Network| format!("{}/{}", network.address, network.prefix);
        f.debug_list().entries(self.0.iter().map(text)).finish()
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let networks = texts.iter().map(|text| text.parse());
        let networks: Result<_, String> = networks.collect();
        networks.map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_or_not() {
        let texts = ["10.0.0.0/8", "192.168.4.0/24", "fc00::/7"];
        let networks = Networks(texts.iter().filter_map(|text| text.parse().ok()).collect());
        let inside = ["10.1.2.3", "192.168.4.9", "fd00::1", "::ffff:10.0.0.1"];
        let outside = [
            "11.0.0.1",
            "192.168.5.1",
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "8.8.8.8",
        ];
        let holds = |text: &str| text.parse().is_ok_and(|ip| networks.hold(ip));
        assert!(inside.iter().all(|text| holds(text)));
        assert!(!outside.iter().any(|text| holds(text)));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert!(
            "0.0.0.0/0"
                .parse()
                .is_ok_and(|all: Network| all.holds(IpAddr::from([8, 8, 8, 8])))
        );
    }
}
