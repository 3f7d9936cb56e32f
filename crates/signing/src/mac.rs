//! HMAC with SHA-256 (RFC 2104), the one all schemes use.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Bytes of a code.
pub(crate) const BYTES: usize = 32;

/// Bytes of SHA-256's block.
const BLOCK: usize = 64;

/// The code of these pieces, one behind the other.
pub(crate) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> [u8; BYTES] {
    let mut mac = Hmac::<Sha256>::new(&block(key).into());
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// A key as HMAC uses it: filled up with zeros, and hashed first where it is longer than a block.
fn block(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..BYTES].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231: test cases 1, 2, 6 and 7.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let long = [0xaa; 131];
        let text =
            b"This is a test using a larger than block-size key and a larger than block-size \
                     data. The key needs to be hashed before being used by the HMAC algorithm.";
        for (key, data, code) in [
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
            assert_eq!(hex::encode(hmac_sha256(key, &[data])), code);
            let (left, right) = data.split_at(data.len() / 2);
            assert_eq!(hex::encode(hmac_sha256(key, &[left, right])), code);
        }
    }
}
