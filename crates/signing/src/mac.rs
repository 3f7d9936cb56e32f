//! HMAC (RFC 2104), the one all schemes use, with the three hashes that are met.

use hmac::{Hmac, KeyInit as _, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The hash of a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    /// 20 bytes. Broken for signatures of documents, not for HMAC.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Bytes of a code.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The code of these pieces, one behind the other.
pub(crate) fn hmac(algorithm: Algorithm, key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    match algorithm {
        Algorithm::Sha1 => run(Hmac::<Sha1>::new(&block::<Sha1, 64>(key).into()), pieces),
        Algorithm::Sha256 => run(Hmac::<Sha256>::new(&block::<Sha256, 64>(key).into()), pieces),
        Algorithm::Sha512 => run(Hmac::<Sha512>::new(&block::<Sha512, 128>(key).into()), pieces),
    }
}

fn run(mut mac: impl Mac, pieces: &[&[u8]]) -> Vec<u8> {
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().to_vec()
}

/// A key as HMAC uses it: filled up with zeros, and hashed first where it is longer than a block.
fn block<D: Digest, const BLOCK: usize>(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        let hashed = D::digest(key);
        block[..hashed.len()].copy_from_slice(&hashed);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(algorithm: Algorithm, key: &[u8], data: &[u8]) -> String {
        let whole = hmac(algorithm, key, &[data]);
        let (left, right) = data.split_at(data.len() / 2);
        assert_eq!(hmac(algorithm, key, &[left, right]), whole);
        assert_eq!(whole.len(), algorithm.bytes());
        hex::encode(whole)
    }

    /// RFC 4231: test cases 1, 2, 6 and 7.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let long = [0xaa; 131];
        let text =
            b"This is a test using a larger than block-size key and a larger than block-size \
                     data. The key needs to be hashed before being used by the HMAC algorithm.";
        for (key, data, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (&long, text, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ] {
            assert_eq!(code(Algorithm::Sha256, key, data), expected);
        }
    }

    /// RFC 2202: test cases 2 and 6; RFC 4231: test cases 2 and 6.
    #[test]
    fn other_hashes_have_other_codes() {
        let (short, long) = (&b"what do ya want for nothing?"[..], [0xaa; 131]);
        let hashed = &b"Test Using Larger Than Block-Size Key - Hash Key First"[..];
        assert_eq!(
            code(Algorithm::Sha1, b"Jefe", short),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            code(Algorithm::Sha1, &[0xaa; 80], hashed),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
        assert_eq!(
            code(Algorithm::Sha512, b"Jefe", short),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
        assert_eq!(
            code(Algorithm::Sha512, &long, hashed),
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
             6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        );
    }
}
