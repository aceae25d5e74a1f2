//! Which resource of which service of AWS a request is about.
//! Pure.

use crate::model::{AwsSecretPlace, AwsSsmPlace, Origin, aws_partition};

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Api {
    /// AWS Secrets Manager.
    Secrets,
    /// Parameter Store, of AWS Systems Manager.
    Parameters,
}

/// A secret or a parameter, and where it is reached.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) api: Api,
    pub(super) endpoint: &'a Origin,
    pub(super) region: &'a str,
    pub(super) account_id: &'a str,
    pub(super) name: &'a str,
}

impl Api {
    /// As addresses, signatures and rights name it.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Secrets => "secretsmanager",
            Self::Parameters => "ssm",
        }
    }

    /// As the header that names an operation does.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Secrets => "secretsmanager",
            Self::Parameters => "AmazonSSM",
        }
    }

    /// What a message calls one of its resources.
    pub(super) fn thing(self) -> &'static str {
        match self {
            Self::Secrets => "secret",
            Self::Parameters => "parameter",
        }
    }
}

impl Resource<'_> {
    /// As a policy names it.
    pub(super) fn arn(&self) -> String {
        let Self {
            api,
            endpoint: _,
            region,
            account_id,
            name,
        } = self;
        let (partition, service) = (aws_partition(region), api.service());
        let path = match api {
            Api::Secrets => format!("secret:{name}-??????"),
            Api::Parameters => format!("parameter/{}", name.strip_prefix('/').unwrap_or(name)),
        };
        format!("arn:{partition}:{service}:{region}:{account_id}:{path}")
    }
}

impl<'a> From<&'a AwsSecretPlace> for Resource<'a> {
    fn from(place: &'a AwsSecretPlace) -> Self {
        let AwsSecretPlace {
            endpoint,
            region,
            account_id,
            name,
            format: _,
        } = place;
        Self {
            api: Api::Secrets,
            endpoint,
            region,
            account_id,
            name,
        }
    }
}

impl<'a> From<&'a AwsSsmPlace> for Resource<'a> {
    fn from(place: &'a AwsSsmPlace) -> Self {
        let AwsSsmPlace {
            endpoint,
            region,
            account_id,
            name,
            format: _,
        } = place;
        Self {
            api: Api::Parameters,
            endpoint,
            region,
            account_id,
            name,
        }
    }
}
