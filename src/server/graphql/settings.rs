//! Settings of spaces: stored as they were sent, shown as they are stored.

use async_graphql::SimpleObject;
use serde::Deserialize;

/// Makes the output types, which also read the stored JSON of the input types.
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize, SimpleObject)]
        #[serde(rename_all = "camelCase", default)]
        pub(crate) struct $name { $($field: Option<$type>),* }
    )*};
}

settings! {
    SpaceSettings {
        terminated_assets_configuration: TerminatedAssetsConfiguration,
        unused_service_accounts_configuration: UnusedServiceAccountsConfiguration,
        garbage_collect_assets_configuration: GarbageCollectAssetsConfiguration,
        platform_vulnerability_configuration: PlatformVulnerabilityConfiguration,
        platform_mql_vex_configuration: PlatformMqlVexConfiguration,
        landscape_configuration: LandscapeConfiguration,
        eol_assets_configuration: EolAssetsConfiguration,
        cases_configuration: CasesConfiguration,
        exceptions_configuration: ExceptionsConfiguration,
        rc_packages_configuration: RcPackagesConfiguration,
        trending_cves_configuration: TrendingCvesConfiguration,
    }
    TerminatedAssetsConfiguration { cleanup: bool, after: i32 }
    UnusedServiceAccountsConfiguration { cleanup: bool, after: i32 }
    GarbageCollectAssetsConfiguration { enable: bool, after_days: i32 }
    PlatformVulnerabilityConfiguration { enable: bool }
    PlatformMqlVexConfiguration { enable: bool }
    LandscapeConfiguration { enable: bool }
    EolAssetsConfiguration { enable: bool, months_in_advance: i32 }
    CasesConfiguration { auto_create: bool, aggregation_window: i32 }
    ExceptionsConfiguration {
        require_approval: bool,
        allow_indefinite_valid_until: bool,
        allow_self_approval: bool,
    }
    RcPackagesConfiguration { exclude: bool }
    TrendingCvesConfiguration { disable: bool }
}

impl SpaceSettings {
    /// Reads the stored settings.
    pub(crate) fn stored(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}
