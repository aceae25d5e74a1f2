//! Which addresses are AWS's own.
//! Pure.
//!
//! Source: the partitions and rules of endpoints that botocore brings (`partitions.json`,
//! `endpoint-rule-set-1.json`).

use crate::model::origin::Origin;

/// A part of AWS that shares nothing with the others.
struct Partition {
    /// With what its regions begin.
    begins: &'static str,
    /// As ARNs name it.
    name: &'static str,
    /// With what its addresses end, and those that have IPv6 too.
    ends: [&'static str; 2],
}

/// The last is that of all regions that begin otherwise.
const PARTITIONS: [Partition; 8] = [
    Partition {
        begins: "cn-",
        name: "aws-cn",
        ends: ["amazonaws.com.cn", "api.amazonwebservices.com.cn"],
    },
    Partition {
        begins: "us-gov-",
        name: "aws-us-gov",
        ends: ["amazonaws.com", "api.aws"],
    },
    Partition {
        begins: "eusc-",
        name: "aws-eusc",
        ends: ["amazonaws.eu", "api.amazonwebservices.eu"],
    },
    Partition {
        begins: "us-iso-",
        name: "aws-iso",
        ends: ["c2s.ic.gov", "api.aws.ic.gov"],
    },
    Partition {
        begins: "us-isob-",
        name: "aws-iso-b",
        ends: ["sc2s.sgov.gov", "api.aws.scloud"],
    },
    Partition {
        begins: "eu-isoe-",
        name: "aws-iso-e",
        ends: ["cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"],
    },
    Partition {
        begins: "us-isof-",
        name: "aws-iso-f",
        ends: ["csp.hci.ic.gov", "api.aws.hci.ic.gov"],
    },
    Partition {
        begins: "",
        name: "aws",
        ends: ["amazonaws.com", "api.aws"],
    },
];

fn of(region: &str) -> &'static Partition {
    let [others @ .., usual] = &PARTITIONS;
    let found = others.iter().find(|known| region.starts_with(known.begins));
    found.unwrap_or(usual)
}

/// The partition of a region, as ARNs name it: `aws`.
pub fn aws_partition(region: &str) -> &'static str {
    of(region).name
}

/// Whether a text has the form of a region's name: `eu-central-1`, three parts or more of small letters and digits.
pub fn is_aws_region(text: &str) -> bool {
    let fits = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        !part.is_empty() && part.bytes().all(plain)
    };
    text.len() <= 32 && text.split('-').count() >= 3 && text.split('-').all(fits)
}

/// The usual address of a service in a region: `https://ssm.eu-central-1.amazonaws.com`.
pub fn aws_address(service: &str, region: &str) -> String {
    let [end, _] = of(region).ends;
    format!("https://{service}.{region}.{end}")
}

/// Whether an address is AWS's own for a service in a region: the usual one, that of FIPS, or those with IPv6.
pub fn is_aws_address(service: &str, region: &str, address: &Origin) -> bool {
    let fips = format!("{service}-fips");
    let mut names = [service, &fips].into_iter();
    is_aws_region(region)
        && names.any(|name| {
            let mut ends = of(region).ends.into_iter();
            ends.any(|end| format!("https://{name}.{region}.{end}") == address.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_addresses_and_no_others() {
        let own = |service: &str, region: &str, address: &str| {
            let address = Origin::new(address).expect("an address");
            is_aws_address(service, region, &address)
        };
        for (region, partition, address) in [
            (
                "eu-central-1",
                "aws",
                "https://ssm.eu-central-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                "aws-cn",
                "https://ssm.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-gov-west-1",
                "aws-us-gov",
                "https://ssm.us-gov-west-1.amazonaws.com",
            ),
            (
                "eusc-de-east-1",
                "aws-eusc",
                "https://ssm.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "us-iso-east-1",
                "aws-iso",
                "https://ssm.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "us-isob-east-1",
                "aws-iso-b",
                "https://ssm.us-isob-east-1.sc2s.sgov.gov",
            ),
        ] {
            assert_eq!(aws_partition(region), partition);
            assert_eq!(aws_address("ssm", region), address);
            assert!(own("ssm", region, address), "{address}");
            assert!(!own("sts", region, address), "{address}");
        }
        for (region, address) in [
            (
                "eu-central-1",
                "https://ssm-fips.eu-central-1.amazonaws.com",
            ),
            ("eu-central-1", "https://ssm.eu-central-1.api.aws"),
            (
                "cn-north-1",
                "https://ssm.cn-north-1.api.amazonwebservices.com.cn",
            ),
        ] {
            assert!(own("ssm", region, address), "{address}");
        }
        for (region, address) in [
            ("eu-central-1", "https://ssm.us-east-1.amazonaws.com"),
            ("eu-central-1", "https://ssm.eu-central-1.amazonaws.com.cn"),
            ("cn-north-1", "https://ssm.cn-north-1.amazonaws.com"),
            (
                "eu-central-1",
                "https://ssm.eu-central-1.amazonaws.com.evil.example",
            ),
            (
                "eu-central-1",
                "https://ssm.eu-central-1.amazonaws.com:8443",
            ),
            ("eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
            (
                "eu-west-1.evil.example",
                "https://ssm.eu-west-1.evil.example.amazonaws.com",
            ),
        ] {
            assert!(!own("ssm", region, address), "{address}");
        }
    }

    #[test]
    fn a_region_leads_to_no_other_host() {
        for wrong in [
            "",
            "europe",
            "eu-west",
            "EU-WEST-1",
            "eu-west-1.evil.example/",
            "evil.example/eu-west-1",
            "eu-west-1#",
            "eu--1",
            "eu-west-1@x",
            "eu west 1",
        ] {
            assert!(!is_aws_region(wrong), "{wrong}");
        }
        assert!(is_aws_region("eu-central-1") && is_aws_region("us-gov-west-1"));
    }
}
