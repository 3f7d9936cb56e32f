//! Which addresses an HTTP target may reach. Without this an event's sender or a trigger's author
//! could make the server call what only the server can reach: other services of the machine, of the
//! network, and the cloud's metadata service.
//!
//! The check is made on the address that is connected to: literal addresses are checked in the URL
//! and in redirects, names are resolved by [`GuardedResolver`] and the client gets only addresses
//! that passed, so that a name cannot change its mind in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The host leads to addresses that are not allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{host} is a private address{}; HTTP targets may only reach public ones",
    .address.map(|address| format!(" ({address})")).unwrap_or_default()
)]
pub(super) struct Refused {
    host: String,
    address: Option<IpAddr>,
}

/// Checks a URL whose host is a literal address; names are checked when they are resolved.
pub(super) fn check_literal(url: &Url) -> Result<(), Refused> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(Refused { host: host.to_owned(), address: None }),
        _ => Ok(()),
    }
}

/// Resolves names as the system does, and gives only public addresses.
#[derive(Debug)]
pub(super) struct GuardedResolver;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let refused = found.iter().find(|address| !is_public(address.ip())).map(SocketAddr::ip);
            let public: Vec<SocketAddr> =
                found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() && refused.is_some() {
                return Err(Refused { host, address: refused }.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is reachable from everywhere, by the registries of special addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, and the same for IPv6).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, loopback, private, multicast and reserved.
        (0 | 10 | 127 | 224..=255, _, _) => true,
        // Shared by carriers.
        (100, 64..=127, _) => true,
        // Link-local, the cloud's metadata service among them.
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        // Protocol assignments, documentation, 6to4 relays.
        (192, 0, 0 | 2) | (192, 88, 99) => true,
        (192, 168, _) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Unspecified, loopback, and the two old ways to write an IPv4 address.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => false,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => v4(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        // Translated to IPv4: by a gateway everybody uses, or by one of the network's own.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, ..] => false,
        // 6to4 carries an IPv4 address, Teredo hides one.
        [0x2002, high, low, ..] => v4(high, low),
        // Protocol assignments and documentation.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Everything that is public lies in 2000::/3: not unique-local, link-local or multicast.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_all_their_forms() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "::ffff:0:127.0.0.1",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn literal_addresses_are_seen_however_they_are_written() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1:80/",
            "http://127.1/",
            "http://[::1]:8080/",
            "http://[::ffff:7f00:1]/",
            "https://10.0.0.1/",
            "http://１２７.0.0.1/",
        ] {
            assert!(check_literal(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        for url in ["http://example.com/", "http://8.8.8.8/", "http://[2606:4700::1111]/"] {
            assert!(check_literal(&Url::parse(url).unwrap()).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn names_that_lead_home_are_refused() {
        let name = "localhost".parse::<Name>().unwrap();
        let Err(error) = GuardedResolver.resolve(name).await else { panic!("resolved") };
        assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
    }
}
