//! Made-up seeds of any size: the same numbers give the same seed, byte for byte.

use jiff::{SignedDuration, Timestamp};

use crate::ids;

use super::form::{Seed, SeedAccount, SeedMember, SeedOrganization, SeedSpace, SeedUser};

/// The time that ages are counted from: 2025-01-01T00:00:00Z.
const EPOCH: i64 = 1_735_689_600;
const TASKS: [&str; 8] = [
    "ci",
    "deploy",
    "export",
    "scan",
    "report",
    "backup",
    "terraform",
    "audit",
];
const PLACES: [&str; 6] = ["eu", "us", "ap", "edge", "lab", "core"];
const ROLES: [&str; 3] = ["viewer", "editor", "agent"];

/// Numbers without end (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let end = u32::try_from(from.len()).unwrap_or(1);
        from[self.below(end) as usize]
    }
}

impl Seed {
    /// Makes up organizations, spaces in each of them, and accounts in each space.
    pub fn generate(organizations: u32, spaces: u32, accounts: u32, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        // Their MRNs would follow from the time of seeding.
        let users = (1..=organizations).map(user).collect();
        let organizations = (1..=organizations)
            .map(|o| SeedOrganization {
                id: format!("generated-organization-{o:06}"),
                name: format!("Organization {o}"),
                created_at: Some(before(900 * 24 * 60)),
                members: vec![SeedMember {
                    email: user(o).email,
                    name: user(o).name,
                    roles: vec!["owner".to_owned()],
                }],
                spaces: (1..=spaces)
                    .map(|s| space(&mut numbers, o, s, accounts))
                    .collect(),
                ..SeedOrganization::default()
            })
            .collect();
        Self {
            users,
            organizations,
        }
    }
}

fn user(o: u32) -> SeedUser {
    let email = format!("owner-{o}@generated.example");
    SeedUser {
        mrn: ids::user_mrn(&ids::derived_ksuid(
            &["user", &email],
            before(900 * 24 * 60),
        )),
        name: format!("Owner {o}"),
        email,
    }
}

fn space(numbers: &mut Numbers, o: u32, s: u32, accounts: u32) -> SeedSpace {
    SeedSpace {
        id: format!("generated-{o:03}-space-{s:06}"),
        name: format!("{} {s}", numbers.pick(&PLACES)),
        created_at: Some(before(800 * 24 * 60)),
        accounts: (1..=accounts).map(|a| account(numbers, o, a)).collect(),
        ..SeedSpace::default()
    }
}

fn account(numbers: &mut Numbers, o: u32, a: u32) -> SeedAccount {
    let age = 1 + numbers.below(700 * 24 * 60);
    let task = numbers.pick(&TASKS);
    SeedAccount {
        name: format!("{task}-{}-{a}", numbers.pick(&PLACES)),
        description: format!("Made up for {task}"),
        roles: vec![numbers.pick(&ROLES).to_owned()],
        labels: [("team".to_owned(), numbers.pick(&PLACES).to_owned())].into(),
        creator: Some(user(o).email),
        created_at: Some(before(age)),
        // One of four was never used.
        last_used: (numbers.below(4) > 0).then(|| before(numbers.below(age))),
        ..SeedAccount::default()
    }
}

fn before(minutes: u32) -> Timestamp {
    let epoch = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(EPOCH);
    epoch - SignedDuration::from_mins(minutes.into())
}
