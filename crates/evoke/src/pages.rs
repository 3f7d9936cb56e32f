//! The pages of the error codes, built into the binary so that `/docs/errors/{code}` needs no
//! network.

use evoke_model::Code;

macro_rules! pages {
    ($($code:literal,)*) => {
        /// The page of a code, in Markdown.
        pub fn error_page(code: Code) -> Option<&'static str> {
            match code.as_str() {
                $($code => Some(include_str!(concat!("../../../docs/errors/", $code, ".md"))),)*
                _ => None,
            }
        }
    };
}

pages! {
    "API_001",
    "API_002",
    "API_003",
    "API_004",
    "API_005",
    "API_006",
    "API_007",
    "API_008",
    "API_009",
    "API_010",
    "AU_001",
    "AU_002",
    "AU_003",
    "AU_004",
    "AU_005",
    "AU_006",
    "AU_007",
    "AU_008",
    "DB_001",
    "DB_002",
    "DB_003",
    "DB_004",
    "DB_005",
    "DB_006",
    "DB_007",
    "EV_001",
    "EV_002",
    "EV_003",
    "EV_004",
    "EV_005",
    "EX_001",
    "EX_002",
    "EX_003",
    "EX_004",
    "EX_005",
    "FN_001",
    "FN_002",
    "FN_003",
    "FN_004",
    "FN_005",
    "FN_006",
    "FN_007",
    "FN_008",
    "FN_009",
    "FN_011",
    "FN_012",
    "HK_001",
    "HK_002",
    "HK_003",
    "HT_001",
    "HT_002",
    "HT_003",
    "HT_004",
    "OP_001",
    "OP_002",
    "SO_001",
    "SO_002",
    "SO_003",
    "SO_004",
    "SO_005",
    "SO_006",
    "SO_007",
    "SO_008",
    "SO_009",
    "SO_010",
    "SO_011",
    "ST_001",
    "TR_001",
    "TR_002",
    "TR_003",
    "TR_004",
    "TR_005",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_page() {
        for code in Code::ALL {
            assert!(error_page(*code).is_some_and(|page| page.contains(code.as_str())), "{code}");
        }
    }
}
