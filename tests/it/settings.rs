//! What users configure: which source wins, what is refused, and how a mistake is pointed at.

use berth::{
    errors::{self, Exit},
    settings::{
        Auth, Base, Cluster, Duration, Environment, Flags, Jwt, ProviderSettings, SecretId, Settings,
        Sources, Store, Trust, WhenFull, schema,
    },
};
use insta::assert_snapshot;
use jiff::SignedDuration;
use std::{fs, num::NonZeroU8, path::PathBuf};

/// A working directory, an environment and a call.
pub(crate) struct Case {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
    platform: Option<PathBuf>,
    config: Option<PathBuf>,
    base: Option<Base>,
    trust: Trust,
    flags: Flags,
}

pub(crate) fn case() -> Case {
    Case {
        directory: tempfile::tempdir().expect("a temporary directory"),
        variables: vec![("HOME", "/home/ann")],
        platform: None,
        config: None,
        base: None,
        trust: Trust::App,
        flags: Flags::default(),
    }
}

impl Case {
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below one")).expect("a directory in ours");
        fs::write(path, text).expect("a file in ours");
        self
    }
    /// Where its files are.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.directory.path()
    }
    pub(crate) fn platform(self, text: &str) -> Self {
        Self { platform: Some("platform.yaml".into()), ..self.file("platform.yaml", text) }
    }
    pub(crate) fn app(self, text: &str) -> Self {
        self.file("berth.yaml", text)
    }
    /// One file for all, as a small team has it.
    pub(crate) fn both(self, text: &str) -> Self {
        Self { trust: Trust::Both, ..self.app(text) }
    }
    /// A small team's one file as the base branch has it, with the files that it names beside it.
    pub(crate) fn base(mut self, text: &str) -> Self {
        let directory = self.path().join("base");
        fs::create_dir_all(&directory).unwrap();
        self.base = Some(Base {
            name: "berth.yaml of acme/shop at main".to_owned(),
            text: text.to_owned(),
            directory,
        });
        self
    }
    pub(crate) fn var(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }
    pub(crate) fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }
    pub(crate) fn load(&self) -> anyhow::Result<Settings> {
        Settings::load(&Sources {
            environment: &Environment::of(self.variables.iter().copied()),
            directory: self.directory.path(),
            platform: self.platform.clone(),
            config: self.config.clone(),
            base: self.base.clone(),
            trust: self.trust,
            flags: self.flags.clone(),
        })
    }
    #[track_caller]
    pub(crate) fn settings(&self) -> Settings {
        self.load().unwrap_or_else(|error| panic!("{}", errors::render(&error)))
    }
    /// What a person reads; every mistake of theirs is exit 2.
    #[track_caller]
    pub(crate) fn refused(&self) -> String {
        let error = self.load().expect_err("this is to be refused");
        assert_eq!(errors::exit(&error), Exit::Usage, "{}", errors::render(&error));
        errors::render(&error)
    }
    /// The same, where only the store matters.
    #[track_caller]
    pub(crate) fn auth(&self) -> Auth {
        match self.settings().store {
            Store::Vault(vault) => vault.auth,
            other => panic!("{other:?}"),
        }
    }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

const VAULT: &str = "store: {vault: {address: 'https://vault.example.com'}}\n";

// ---- without anything ----

#[test]
fn with_nothing_said_the_defaults_hold() {
    let settings = case().settings();
    assert_snapshot!(format!("{:?}", settings.store), @r#"Own("/home/ann/.local/state/berth")"#);
    assert_snapshot!(format!("{:?}", settings.lifetime), @"Lifetime { grace: 1h, max: 72h, warn: 4h, stuck: 30m }");
    let (name, pool) = settings.pool(None).unwrap();
    assert_eq!(name.as_ref(), "default");
    assert_eq!(pool.layout.range.to_string(), "192.168.1.140-192.168.1.149");
    assert_eq!((pool.layout.size.get(), pool.layout.align.get()), (2, 2));
    assert_eq!((pool.reuse_after, pool.max_per_repository), (SignedDuration::from_mins(10), 0));
    assert_eq!(pool.when_full, WhenFull::Queue);
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "# nothing yet\n", "version: 1\n", "lifetime:\n"] {
        assert_eq!(case().app(text).settings().lifetime.max, hours(72), "{text:?}");
    }
}

// ---- who wins ----

#[test]
fn each_source_wins_over_the_one_before() {
    let range = |case: &Case| case.settings().pool(None).unwrap().1.layout.range.to_string();
    let both = case().both("pools: {default: {range: 10.0.0.0-10.0.0.9}}");
    assert_eq!(range(&both), "10.0.0.0-10.0.0.9");
    let variable = both.var("BERTH_POOLS_DEFAULT_RANGE", "10.0.1.0-10.0.1.9");
    assert_eq!(range(&variable), "10.0.1.0-10.0.1.9");
    let range_flag = Flags { range: Some("10.0.2.0-10.0.2.9".parse().unwrap()), ..Flags::default() };
    assert_eq!(range(&variable.flags(range_flag)), "10.0.2.0-10.0.2.9");
}

#[test]
fn a_lifetime_is_the_default_then_the_platforms_then_the_apps_then_the_variables() {
    let grace = |case: &Case| case.settings().lifetime.grace;
    assert_eq!(grace(&case()), hours(1));
    let platform = case().platform("lifetime: {grace: 8h}");
    assert_eq!(grace(&platform), hours(8));
    let app = platform.app("lifetime: {grace: 4h}");
    assert_eq!(grace(&app), hours(4));
    assert_eq!(grace(&app.var("BERTH_LIFETIME_GRACE", "6h")), hours(6));
}

#[test]
fn a_store_is_the_environments_then_the_files_then_the_variables_then_the_flags() {
    let store = |case: &Case| match case.settings().store {
        Store::Vault(vault) => vault.address.to_string(),
        Store::Kubernetes { namespace, cluster } => format!("{namespace} {cluster:?}"),
        Store::File(directory) | Store::Own(directory) => directory.display().to_string(),
    };
    let environment = case().var("VAULT_ADDR", "http://vault:8200").var("VAULT_TOKEN", "s.1");
    assert_eq!(store(&environment), "http://vault:8200");
    let file = environment.both(VAULT);
    assert_eq!(store(&file), "https://vault.example.com");
    let variable = file.var("BERTH_STORE_VAULT_ADDRESS", "https://other.example.com:8200/");
    assert_eq!(store(&variable), "https://other.example.com:8200");
    let kind = variable.var("BERTH_STORE", "kubernetes");
    assert_eq!(store(&kind), "berth Current");
    let flag = Flags { store: Some("file:/srv/pool".parse().unwrap()), ..Flags::default() };
    assert_eq!(store(&kind.flags(flag)), "/srv/pool");
}

#[test]
fn keys_that_the_stronger_source_leaves_out_stay_the_weaker_ones() {
    let case = case()
        .both("pools: {lab: {range: 10.0.0.0/28, block: 4, exclude: [10.0.0.5]}}")
        .var("BERTH_POOLS_LAB_BLOCK", "2");
    let settings = case.settings();
    let layout = &settings.pools[&"lab".parse().unwrap()].layout;
    assert_eq!((layout.size.get(), layout.exclude.len()), (2, 1));
    assert_eq!(layout.range.to_string(), "10.0.0.1-10.0.0.14");
}

#[test]
fn what_the_platform_file_sets_stays_as_it_is() {
    let platform = || case().platform("pools: {lab: {range: 10.0.0.0/28, block: 4}}");
    assert_snapshot!(platform().var("BERTH_POOLS_LAB_RANGE", "10.9.0.0/28").refused(), @r"
    error: BERTH_POOLS_LAB_RANGE would change what the platform file sets at platform.yaml:1:22
    hint: what the platform file sets stays as it is: change it there, or leave this out
    ");
    let flag = Flags { block: Some(NonZeroU8::MIN), ..Flags::default() };
    assert_snapshot!(platform().flags(flag).refused(), @r"
    error: --block would change what the platform file sets at platform.yaml:1:42
    hint: what the platform file sets stays as it is: change it there, or leave this out
    ");
    let vault = || case().var("VAULT_TOKEN", "s.1").platform(VAULT);
    assert_snapshot!(vault().var("BERTH_STORE", "file:/tmp/mine").refused(), @r"
    error: BERTH_STORE would change what the platform file sets at platform.yaml:1:16
    hint: what the platform file sets stays as it is: change it there, or leave this out
    ");
    assert_snapshot!(vault().var("BERTH_STORE_VAULT_ADDRESS", "http://mine:8200").refused(), @r"
    error: BERTH_STORE_VAULT_ADDRESS would change what the platform file sets at platform.yaml:1:26
    hint: what the platform file sets stays as it is: change it there, or leave this out
    ");
    // What it leaves open may be filled.
    let filled = platform().var("BERTH_POOLS_LAB_EXCLUDE", "10.0.0.5").settings();
    assert_eq!(filled.pools[&"lab".parse().unwrap()].layout.exclude.len(), 1);
}

// ---- which files ----

#[test]
fn the_app_file_is_berth_yaml_else_the_one_in_github() {
    let github = case().file(".github/berth.yaml", "lifetime: {max: 1d}");
    assert_eq!(github.settings().lifetime.max, hours(24));
    assert_eq!(github.app("lifetime: {max: 2d}").settings().lifetime.max, hours(48));
}

#[test]
fn files_are_named_by_flag_or_variable() {
    let case = case().file("a.yaml", "lifetime: {max: 4d}").file("b.yaml", "lifetime: {max: 2d}");
    let named = case.var("BERTH_PLATFORM", "a.yaml").var("BERTH_CONFIG", "b.yaml");
    assert_eq!(named.settings().lifetime.max, hours(48));
    let flag = Case { config: Some("c.yaml".into()), ..named.file("c.yaml", "lifetime: {max: 1d}") };
    assert_eq!(flag.settings().lifetime.max, hours(24));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    assert_snapshot!(case().var("BERTH_PLATFORM", "absent.yaml").refused(), @r"
    error: cannot read absent.yaml
      because: No such file or directory (os error 2)
    ");
    assert_snapshot!(Case { config: Some("absent.yaml".into()), ..case() }.refused(), @r"
    error: cannot read absent.yaml
      because: No such file or directory (os error 2)
    ");
}

#[test]
fn an_unreadable_file_is_not_an_absent_one() {
    let directory = case().file("berth.yaml/inside", "");
    assert_snapshot!(directory.refused(), @r"
    error: cannot read berth.yaml
      because: Is a directory (os error 21)
    ");
    let dangling = case();
    std::os::unix::fs::symlink("nowhere", dangling.directory.path().join("berth.yaml")).unwrap();
    assert_snapshot!(dangling.file(".github/berth.yaml", "version: 1").refused(), @r"
    error: cannot read berth.yaml
      because: No such file or directory (os error 2)
    ");
    let binary = case();
    fs::write(binary.directory.path().join("berth.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert_snapshot!(binary.refused(), @r"
    error: cannot read berth.yaml
      because: stream did not contain valid UTF-8
    ");
}

#[test]
fn a_huge_file_is_refused_before_it_is_parsed() {
    assert_snapshot!(case().app(&"# berth\n".repeat(200_000)).refused(), @"error: berth.yaml is larger than 1 MiB");
}

#[test]
fn relative_paths_begin_where_they_were_written() {
    let file = case().file("ops/platform.yaml", "store: {file: ./pool}");
    let file = Case { platform: Some("ops/platform.yaml".into()), ..file };
    let root = file.directory.path().to_owned();
    let store = |case: &Case| match case.settings().store {
        Store::File(directory) | Store::Own(directory) => directory,
        other => panic!("{other:?}"),
    };
    assert_eq!(store(&file), root.join("ops/./pool"));
    let variable = case().var("BERTH_STORE", "file:pool");
    assert_eq!(store(&variable), variable.directory.path().join("pool"));
}

// ---- what the app file may say ----

#[test]
fn a_platform_key_in_an_app_file_is_refused() {
    let text = "version: 1\nlifetime:\n  max: 1d\nstore:\n  file: /tmp/mine\n";
    assert_snapshot!(case().app(text).refused(), @r"
    error: berth.yaml:4:1: `store` belongs into the platform file, not into an app file
    hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    ");
    assert_snapshot!(case().app("lifetime: {max: 1d}\npools: {}\n").refused(), @r"
    error: berth.yaml:2:1: `pools` belongs into the platform file, not into an app file
    hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    ");
}

#[test]
fn one_file_may_hold_both_kinds_of_keys_until_a_platform_file_is_named() {
    let text = "store: {file: /srv/pool}\nlifetime: {max: 9d}\n";
    let both = case().both(text);
    assert_eq!(both.settings().lifetime.max, hours(9 * 24));
    assert_snapshot!(both.platform("version: 1").refused(), @r"
    error: berth.yaml:1:1: `store` belongs into the platform file, not into an app file
    hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    ");
}

#[test]
fn an_app_file_may_shorten_a_lifetime_but_not_lengthen_it() {
    let platform = || case().platform("version: 1\nlifetime:\n  max: 2d\n  grace: 2h\n");
    let shorter = platform().app("lifetime: {max: 1d, grace: 2h}").settings().lifetime;
    assert_eq!((shorter.max, shorter.grace), (hours(24), hours(2)));
    assert_snapshot!(platform().app("lifetime:\n  max: 2d1h\n").refused(), @r"
    error: berth.yaml:2:8: `lifetime.max` is 2d1h, longer than the platform's 2d (platform.yaml:3:8)
    hint: an app file may only shorten a lifetime
    ");
    assert_snapshot!(case().app("lifetime: {warn: 5h}").refused(), @r"
    error: berth.yaml:1:18: `lifetime.warn` is 5h, longer than the platform's 4h (the default)
    hint: an app file may only shorten a lifetime
    ");
    // A variable overrules what comes out, not what an app file may say.
    let overruled = platform().app("lifetime: {max: 3d}").var("BERTH_LIFETIME_MAX", "9d");
    assert!(overruled.refused().contains("longer than the platform's 2d"));
}

// ---- mistakes in a file ----

#[test]
fn a_mistyped_key_names_the_key_that_was_meant() {
    let text = "version: 1\npools:\n  lab:\n    block: 2\n    rnage: 10.0.0.0/28\n";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:5:5: unknown key `rnage`, did you mean `range`?");
    assert_snapshot!(case().platform("lifetime: {gracee: 1h}").refused(), @"error: platform.yaml:1:12: unknown key `gracee`, did you mean `grace`?");
}

#[test]
fn a_key_that_is_near_to_none_lists_the_known_ones() {
    assert_snapshot!(case().platform("lifetime: {tomorrow: 1h}").refused(), @"error: platform.yaml:1:12: unknown key `tomorrow`; known here: `grace`, `max`, `warn`, `stuck`");
    assert_snapshot!(case().app("colour: red").refused(), @"error: berth.yaml:1:1: unknown key `colour`; known here: `version`, `lifetime`, `provider`, `deploy`, `hosts`, `health`, `tests`, `secrets`, `filter`, `skip`, `vars`, `timeouts`");
    let text = "store: {vault: {auth: {token: {value: s.1}}}}";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:1:32: unknown key `value`; nothing is set here");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    assert_snapshot!(case().app("lifetime:\n  max: 1d\n  max: 2d\n").refused(), @"error: berth.yaml:3:3: the key `max` stands here twice");
    assert_snapshot!(case().platform("pools:\n  lab: {}\n  lab: {}\n").refused(), @"error: platform.yaml:3:3: the key `lab` stands here twice");
}

#[test]
fn the_place_of_a_wrong_value_is_right_however_deep_it_lies() {
    let value = |text: &str| case().platform(text).refused();
    assert_snapshot!(value("pools:\n  lab:\n    range: 10.0.0.9-10.0.0.1\n"), @r#"error: platform.yaml:3:12: "10.0.0.9-10.0.0.1" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536"#);
    assert_snapshot!(value("pools:\n  lab:\n    exclude:\n      - 10.0.0.1\n      - nowhere\n"), @r#"error: platform.yaml:5:9: "nowhere" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536"#);
    assert_snapshot!(value("pools: {lab: {block: 0}}"), @r#"error: platform.yaml:1:22: "0" is no number of addresses: a whole number from 1 to 255"#);
    assert_snapshot!(value("pools: {lab: {max-per-repository: -1}}"), @r#"error: platform.yaml:1:35: "-1" is no limit: a whole number; 0 is no limit"#);
    assert_snapshot!(value("pools: {lab: {when-full: panic}}"), @r#"error: platform.yaml:1:26: "panic" is no answer to a full pool: queue, wait or fail"#);
    assert_snapshot!(value("pools:\n  Lab: {}\n"), @r#"error: platform.yaml:2:3: "Lab" is no pool name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
    assert_snapshot!(value("store: {kubernetes: {namespace: Berth}}"), @r#"error: platform.yaml:1:33: "Berth" is no namespace: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
    assert_snapshot!(value("store: {kubernetes: {in-cluster: maybe}}"), @r#"error: platform.yaml:1:34: "maybe" is no switch: true or false"#);
    assert_snapshot!(value("store: {vault: {path: ../secrets}}"), @r#"error: platform.yaml:1:23: "../secrets" is no path in Vault: segments of letters, digits, '-', '_' and '.', joined by '/'"#);
    assert_snapshot!(value("store: {vault: {address: 'https://v', auth: {jwt: {role: ''}}}}"), @r#"error: platform.yaml:1:58: "" is no name: 1 to 1024 printable characters"#);
    assert_snapshot!(value("version: 2"), @r#"error: platform.yaml:1:10: "2" is no version of the configuration: this berth reads version 1"#);
}

#[test]
fn what_is_no_mapping_value_or_list_says_what_is_expected() {
    let wrong = |text: &str| case().platform(text).refused();
    assert_snapshot!(wrong("store: vault"), @"error: platform.yaml:1:8: keys are expected here");
    assert_snapshot!(wrong("- lifetime"), @"error: platform.yaml:1:1: keys are expected here");
    assert_snapshot!(wrong("lifetime: {max: [1d]}"), @"error: platform.yaml:1:17: one value is expected here, not keys or a list");
    assert_snapshot!(wrong("pools: {lab: {exclude: 10.0.0.1}}"), @"error: platform.yaml:1:24: a list is expected here");
    assert_snapshot!(wrong("version: 1\n---\nversion: 1\n"), @"error: platform.yaml:3:1: a second document begins here; one file is one document");
    assert_snapshot!(wrong("lifetime: {max: 1d\n"), @"error: platform.yaml:1:11: unclosed bracket '{'");
}

#[test]
fn yaml_that_would_grow_without_end_is_refused() {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for level in 1..30 {
        let below = level - 1;
        text.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}]\n"));
    }
    assert!(case().app(&text).refused().starts_with("error: berth.yaml:"));
    assert!(case().app(&"[".repeat(200_000)).refused().starts_with("error: berth.yaml:1:"));
}

// ---- durations ----

#[test]
fn durations_are_whole_numbers_with_units() {
    let seconds = |text: &str| SignedDuration::from(text.parse::<Duration>().unwrap()).as_secs();
    assert_eq!(seconds("90s"), 90);
    assert_eq!(seconds("15m"), 900);
    assert_eq!(seconds("1h"), 3_600);
    assert_eq!(seconds("3d"), 259_200);
    assert_eq!(seconds("1d12h"), 129_600);
    assert_eq!(seconds("0s"), 0);
    for text in
        ["", "h", "1", "1w", "-1h", "1h1h", "1m1h", "1 h", "1.5h", "3651d", "99999999999999999999d", "1h5"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text:?}");
    }
}

#[test]
fn durations_are_written_as_they_are_read() {
    for text in ["0s", "90s", "25h", "1d12h", "1h1m1s", "3650d"] {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
    }
}

#[test]
fn a_bare_number_is_told_which_units_there_are() {
    assert_snapshot!(case().app("lifetime:\n  max: 15\n").refused(), @r#"error: berth.yaml:2:8: "15" is no duration: it has no unit; add s, m, h or d, as in 90s, 15m, 1h or 3d"#);
    assert_snapshot!(case().app("lifetime: {max: 1.5}").refused(), @r#"error: berth.yaml:1:17: "1.5" is no duration: it has no unit; add s, m, h or d, as in 90s, 15m, 1h or 3d"#);
    assert_snapshot!(case().app("lifetime: {max: 3 days}").refused(), @r#"error: berth.yaml:1:17: "3 days" is no duration: write it as 90s, 15m, 1h, 3d or 1d12h, of at most 3650d"#);
}

// ---- pools ----

#[test]
fn two_pools_must_not_share_an_address() {
    let text = "\
pools:
  lab:
    range: 10.0.0.10-10.0.0.19
  far:
    range: 10.0.9.0/28
  new:
    range: 10.0.0.19-10.0.0.29
";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:7:12: the pools `lab` (10.0.0.10-10.0.0.19) and `new` (10.0.0.19-10.0.0.29) overlap, so two environments could get one address");
    let apart = text.replace("10.0.0.19-10.0.0.29", "10.0.0.20-10.0.0.29");
    assert_eq!(case().platform(&apart).settings().pools.len(), 3);
    assert_snapshot!(case().platform("pools: {a: {}, b: {}}").refused(), @"error: the pools `a` (192.168.1.140-192.168.1.149) and `b` (192.168.1.140-192.168.1.149) overlap, so two environments could get one address");
    let wide = "pools: {a: {range: 10.0.0.0/16}, b: {range: 10.0.0.4-10.0.0.5}, c: {range: 10.0.9.0/28}}";
    assert!(case().platform(wide).refused().contains("overlap"));
}

#[test]
fn a_pool_without_a_block_says_how_that_came() {
    assert_snapshot!(case().platform("pools: {lab: {range: 10.0.0.11-10.0.0.12}}").refused(), @r"
    error: platform.yaml:1:22: the pool `lab` has no block: 10.0.0.11-10.0.0.12 holds no 2 consecutive addresses (`block`) of which the first is a multiple of 2 (`align`)
    hint: widen `range`, or lower `block` or `align`
    ");
    let text = "pools: {lab: {range: 10.0.0.10-10.0.0.11, exclude: [10.0.0.11, 10.0.7.1]}}";
    assert_snapshot!(case().platform(text).refused(), @r"
    error: platform.yaml:1:22: the pool `lab` has no block: 10.0.0.10-10.0.0.11 without the 1 excluded holds no 2 consecutive addresses (`block`) of which the first is a multiple of 2 (`align`)
    hint: widen `range`, or lower `block` or `align`
    ");
    assert_snapshot!(case().var("BERTH_POOLS_LAB_BLOCK", "11").refused(), @r"
    error: BERTH_POOLS_LAB_BLOCK: the pool `lab` has no block: 192.168.1.140-192.168.1.149 holds no 11 consecutive addresses (`block`) of which the first is a multiple of 1 (`align`)
    hint: widen `range`, or lower `block` or `align`
    ");
}

#[test]
fn blocks_are_aligned_to_their_size_if_that_is_a_power_of_two() {
    let align = |text: &str| {
        let settings = case().platform(text).settings();
        settings.pool(None).unwrap().1.layout.align.get()
    };
    assert_eq!(align("pools: {lab: {block: 4}}"), 4);
    assert_eq!(align("pools: {lab: {block: 3}}"), 1);
    assert_eq!(align("pools: {lab: {block: 3, align: 5}}"), 5);
}

#[test]
fn an_excluded_network_takes_its_first_and_last_address_along() {
    let text = "pools: {lab: {range: 10.0.0.0-10.0.0.31, exclude: [10.0.0.0/28, 10.0.0.20-22, 10.0.0.31]}}";
    let settings = case().platform(text).settings();
    let exclude = &settings.pool(None).unwrap().1.layout.exclude;
    let last: Vec<u8> = exclude.iter().map(|address| address.octets()[3]).collect();
    assert_eq!(last, (0..16).chain(20..23).chain([31]).collect::<Vec<u8>>());
}

#[test]
fn a_pool_must_be_named_where_there_are_several() {
    let text = "pools: {lab: {}, far: {range: 10.0.0.0/28}}";
    let settings = case().platform(text).settings();
    let lab = "lab".parse().unwrap();
    assert_eq!(settings.pool(Some(&lab)).unwrap().0, &lab);
    assert_snapshot!(errors::render(&settings.pool(None).unwrap_err()), @r"
    error: there are several pools, and none is named
    hint: name one by --pool: `far`, `lab`
    ");
    let other = "other".parse().unwrap();
    assert_snapshot!(errors::render(&settings.pool(Some(&other)).unwrap_err()), @r"
    error: there is no pool `other`
    hint: the pools are `far`, `lab`
    ");
    let block = Flags { block: 1.try_into().ok(), ..Flags::default() };
    assert!(case().platform(text).flags(block.clone()).refused().contains("none is named"));
    let named = case().platform(text).flags(Flags { pool: Some(lab.clone()), ..block });
    assert_eq!(named.settings().pools[&lab].layout.size.get(), 1);
}

#[test]
fn flags_describe_the_whole_pool_of_a_call() {
    let flags = Flags {
        range: Some("10.0.0.1-10.0.0.9".parse().unwrap()),
        exclude: vec!["10.0.0.3".parse().unwrap()],
        block: 3.try_into().ok(),
        align: 2.try_into().ok(),
        ..Flags::default()
    };
    let settings = case().flags(flags).settings();
    let blocks: Vec<String> = settings.pool(None).unwrap().1.layout.blocks().map(|b| b.to_string()).collect();
    assert_eq!(blocks, ["10.0.0.6-8"]);
    let narrow = Flags { range: Some("10.0.0.1".parse().unwrap()), ..Flags::default() };
    assert_snapshot!(case().flags(narrow).refused(), @r"
    error: --range: the pool `default` has no block: 10.0.0.1-10.0.0.1 holds no 2 consecutive addresses (`block`) of which the first is a multiple of 2 (`align`)
    hint: widen `range`, or lower `block` or `align`
    ");
}

// ---- variables ----

#[test]
fn every_setting_has_a_variable() {
    let settings = case()
        .var("BERTH_LIFETIME_MAX", "2d")
        .var("BERTH_LIFETIME_STUCK", "1h")
        .var("BERTH_POOLS_LAB_RANGE", "10.0.0.0-10.0.0.9")
        .var("BERTH_POOLS_LAB_EXCLUDE", "10.0.0.4, 10.0.0.6-7,")
        .var("BERTH_POOLS_LAB_MAX_PER_REPOSITORY", "3")
        .var("BERTH_POOLS_LAB_REUSE_AFTER", "1m")
        .var("BERTH_POOLS_LAB_WHEN_FULL", "fail")
        .var("BERTH_POOLS_MY_OTHER_LAB_RANGE", "10.0.1.0-10.0.1.9")
        .var("BERTH_STORE_KUBERNETES_CONTEXT", "lab")
        .var("BERTH_STORE_KUBERNETES_NAMESPACE", "docs")
        .settings();
    assert_eq!((settings.lifetime.max, settings.lifetime.stuck), (hours(48), hours(1)));
    let lab = &settings.pools[&"lab".parse().unwrap()];
    assert_eq!((lab.layout.exclude.len(), lab.max_per_repository), (3, 3));
    assert_eq!((lab.reuse_after, lab.when_full), (SignedDuration::from_mins(1), WhenFull::Fail));
    assert!(settings.pools.contains_key(&"my-other-lab".parse().unwrap()));
    let Store::Kubernetes { namespace, cluster: Cluster::Context(context) } = settings.store else {
        panic!()
    };
    assert_eq!((namespace.as_ref(), context.as_ref()), ("docs", "lab"));
}

#[test]
fn a_variable_that_is_no_setting_names_the_one_that_was_meant() {
    let unknown = |name| case().var(name, "x").refused();
    assert_snapshot!(unknown("BERTH_LIFETIME_GRCE"), @"error: BERTH_LIFETIME_GRCE is no setting, did you mean BERTH_LIFETIME_GRACE?");
    assert_snapshot!(unknown("BERTH_POOLS_LAB_RNAGE"), @"error: BERTH_POOLS_LAB_RNAGE is no setting, did you mean BERTH_POOLS_LAB_RANGE?");
    assert_snapshot!(unknown("BERTH_PLATFROM"), @"error: BERTH_PLATFROM is no setting, did you mean BERTH_PLATFORM?");
    assert_snapshot!(unknown("BERTH_STOER"), @"error: BERTH_STOER is no setting, did you mean BERTH_STORE?");
    assert_snapshot!(unknown("BERTH_COLOUR_OF_THE_SKY"), @r"
    error: BERTH_COLOUR_OF_THE_SKY is no setting
    hint: a setting's variable is BERTH_ and its path, joined by `_`: `lifetime.grace` is BERTH_LIFETIME_GRACE; `berth schema` lists all
    ");
    assert!(unknown("BERTH_LIFETIME").contains("is no setting"));
    assert!(unknown("BERTH_STORE_VAULT_AUTH_TOKEN").contains("is no setting"));
    assert!(unknown("BERTH_POOLS_RANGE").contains("is no setting"));
    assert!(unknown("BERTH_VERSION").contains("is no setting"));
}

#[test]
fn a_wrong_value_in_a_variable_names_the_variable() {
    assert_snapshot!(case().var("BERTH_LIFETIME_MAX", "15").refused(), @r#"error: BERTH_LIFETIME_MAX: "15" is no duration: it has no unit; add s, m, h or d, as in 90s, 15m, 1h or 3d"#);
    assert_snapshot!(case().var("BERTH_POOLS_LAB_EXCLUDE", "10.0.0.1,x").refused(), @r#"error: BERTH_POOLS_LAB_EXCLUDE: "x" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536"#);
    assert_snapshot!(case().var("BERTH_POOLS__RANGE", "10.0.0.0/28").refused(), @r#"error: BERTH_POOLS__RANGE: "" is no pool name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
    assert_snapshot!(case().var("BERTH_STORE", "sqlite").refused(), @r#"error: BERTH_STORE: "sqlite" is no store: vault, kubernetes or file:DIR"#);
}

#[test]
fn the_programs_own_variables_are_no_mistake() {
    for name in ["BERTH_BIN", "BERTH_REQUIRE_BENCH", "BERTH_OUTPUT"] {
        case().var(name, "1").settings();
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let case = case()
        .var("BERTH_LIFETIME_MAX", "")
        .var("BERTH_PLATFORM", "")
        .var("BERTH_CONFIG", "")
        .var("BERTH_STORE", "")
        .var("BERTH_INPUT_OF_TOMORROW", "")
        .var("VAULT_ADDR", "")
        .var("VAULT_TOKEN", "")
        .var("VAULT_SKIP_VERIFY", "");
    assert!(matches!(case.settings().store, Store::Own(_)));
}

#[test]
fn what_kubernetes_sets_beside_a_service_called_berth_is_no_mistake() {
    let links = [
        "BERTH_SERVICE_HOST",
        "BERTH_SERVICE_PORT",
        "BERTH_SERVICE_PORT_HTTP",
        "BERTH_PORT",
        "BERTH_PORT_8080_TCP",
        "BERTH_PORT_8080_TCP_ADDR",
        "BERTH_METRICS_PORT_9090_TCP_PROTO",
    ];
    let pod =
        links.into_iter().fold(case().var("KUBERNETES_SERVICE_HOST", "10.96.0.1"), |c, l| c.var(l, "1"));
    pod.settings();
    assert!(case().var("BERTH_SERVICE_HOST", "1").refused().contains("is no setting"));
    assert!(pod.var("BERTH_LIFETIME_GRCE", "1h").refused().contains("BERTH_LIFETIME_GRACE"));
}

#[test]
fn only_a_value_that_is_used_must_be_utf8() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let environment = |name: &str| Environment::of([(OsString::from(name), OsString::from_vec(vec![0xff]))]);
    assert!(environment("UNUSED").text("HOME").unwrap().is_none());
    assert_snapshot!(environment("VAULT_TOKEN").text("VAULT_TOKEN").unwrap_err(), @"VAULT_TOKEN is not UTF-8");
}

// ---- which store ----

#[test]
fn the_state_directory_is_the_users() {
    let store = |case: Case| match case.settings().store {
        Store::File(directory) | Store::Own(directory) => directory.display().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(store(case().var("XDG_STATE_HOME", "/state")), "/state/berth");
    assert_eq!(store(case().var("XDG_STATE_HOME", "relative")), "/home/ann/.local/state/berth");
    assert_snapshot!(Case { variables: Vec::new(), ..case() }.refused(), @r"
    error: no store is configured, and HOME does not say where one could be
    hint: say --store file:DIR
    ");
}

#[test]
fn a_github_job_must_say_where_its_store_is() {
    let job = || case().var("GITHUB_ACTIONS", "true");
    assert_snapshot!(job().refused(), @r"
    error: no store is configured, and a directory would be lost with this job's runner (VAULT_ADDR is not set)
    hint: set VAULT_ADDR, or `store` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)
    ");
    assert_snapshot!(job().var("VAULT_ADDR", "").refused(), @r"
    error: no store is configured, and a directory would be lost with this job's runner (VAULT_ADDR is set but empty)
    hint: set VAULT_ADDR, or `store` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)
    ");
    assert!(matches!(job().var("BERTH_STORE", "file:/srv/pool").settings().store, Store::File(_)));
}

#[test]
fn a_token_without_an_address_does_not_fall_back_to_a_directory() {
    assert_snapshot!(case().var("VAULT_TOKEN", "s.1").refused(), @r"
    error: VAULT_TOKEN is set without an address: VAULT_ADDR is not set
    hint: set VAULT_ADDR, or say --store file:DIR to keep the pool in a directory instead
    ");
    assert_snapshot!(case().var("VAULT_TOKEN", "s.1").var("VAULT_ADDR", "").refused(), @r"
    error: VAULT_TOKEN is set without an address: VAULT_ADDR is set but empty
    hint: set VAULT_ADDR, or say --store file:DIR to keep the pool in a directory instead
    ");
    let said = case().var("VAULT_TOKEN", "s.1").var("BERTH_STORE", "file:/srv/pool");
    assert!(matches!(said.settings().store, Store::File(_)));
}

#[test]
fn a_store_is_one_of_the_three() {
    let text = "store:\n  file: /srv/pool\n  kubernetes:\n    namespace: berth\n";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:2:9: `store` takes one kind, and here are both `kubernetes` and `file`");
    let variables =
        case().var("BERTH_STORE_VAULT_ADDRESS", "https://v").var("BERTH_STORE_KUBERNETES_CONTEXT", "x");
    assert_snapshot!(variables.refused(), @"error: BERTH_STORE_KUBERNETES_CONTEXT chooses `store.kubernetes`, and BERTH_STORE_VAULT_ADDRESS chooses `store.vault`");
    assert!(matches!(variables.var("BERTH_STORE", "kubernetes").settings().store, Store::Kubernetes { .. }));
}

#[test]
fn a_kubernetes_store_is_in_one_cluster() {
    let cluster = |text| match case().platform(text).settings().store {
        Store::Kubernetes { cluster, .. } => cluster,
        other => panic!("{other:?}"),
    };
    assert_eq!(cluster("store: {kubernetes: {}}"), Cluster::Current);
    assert_eq!(cluster("store: {kubernetes: {in-cluster: true}}"), Cluster::Own);
    let context = cluster("store: {kubernetes: {context: lab, in-cluster: false}}");
    assert_eq!(context, Cluster::Context("lab".parse().unwrap()));
    assert_snapshot!(case().platform("store: {kubernetes: {context: lab, in-cluster: true}}").refused(), @"error: platform.yaml:1:21: `context` lab and `in-cluster` are two clusters; say one of them");
}

// ---- Vault ----

#[test]
fn vault_is_where_its_own_variables_say() {
    let case = case()
        .var("VAULT_ADDR", "https://vault:8200")
        .var("VAULT_TOKEN", "s.1\n")
        .var("VAULT_NAMESPACE", "team/a/")
        .var("VAULT_CACERT", "/etc/ca.pem")
        .var("VAULT_SKIP_VERIFY", "false");
    let Store::Vault(vault) = case.settings().store else { panic!() };
    assert_eq!(vault.address.as_ref(), "https://vault:8200");
    assert_eq!((vault.mount.as_ref(), vault.path.as_ref()), ("kv", "ephemeral-clusters"));
    assert_eq!(vault.namespace.unwrap().as_ref(), "team/a");
    assert_eq!(vault.ca.unwrap().as_os_str(), "/etc/ca.pem");
    let Auth::Token(token) = vault.auth else { panic!() };
    assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "s.1");
}

#[test]
fn what_vault_needs_and_is_empty_is_called_empty() {
    let vault = || case().var("BERTH_STORE", "vault");
    assert_snapshot!(vault().refused(), @r"
    error: the vault store has no address: VAULT_ADDR is not set
    hint: set it, or `store.vault.address` in the platform file
    ");
    assert_snapshot!(vault().var("VAULT_ADDR", "").refused(), @r"
    error: the vault store has no address: VAULT_ADDR is set but empty
    hint: set it, or `store.vault.address` in the platform file
    ");
    assert_snapshot!(vault().var("VAULT_ADDR", "https://v").var("VAULT_TOKEN", "").refused(), @r"
    error: the vault store has no token: VAULT_TOKEN is set but empty
    hint: set it, or another way to log in as `store.vault.auth` in the platform file
    ");
    assert_snapshot!(case().platform(VAULT).refused(), @r"
    error: the vault store has no token: VAULT_TOKEN is not set
    hint: set it, or another way to log in as `store.vault.auth` in the platform file
    ");
}

#[test]
fn an_address_is_a_host_and_nothing_behind_it() {
    let address = |address: &'static str| case().var("VAULT_ADDR", address).refused();
    assert_snapshot!(address("vault:8200"), @"error: VAULT_ADDR: this is no address of a Vault like https://vault.example.com:8200: it must begin with https:// or http://");
    assert_snapshot!(address("https://"), @"error: VAULT_ADDR: this is no address of a Vault like https://vault.example.com:8200: it has no valid host and port");
    assert_snapshot!(address("https://gateway/vault"), @"error: VAULT_ADDR: this is no address of a Vault like https://vault.example.com:8200: it has a path; Vault must be reachable at the root of its host");
    assert_snapshot!(address("https://vault?x=1"), @"error: VAULT_ADDR: this is no address of a Vault like https://vault.example.com:8200: it has a query");
    assert_snapshot!(address("https://ann:hunter2@vault"), @"error: VAULT_ADDR: this is no address of a Vault like https://vault.example.com:8200: it holds credentials; log in by `store.vault.auth`");
    assert_snapshot!(
        case().platform("store:\n  vault:\n    address: ftp://vault\n").refused(),
        @"error: platform.yaml:3:14: this is no address of a Vault like https://vault.example.com:8200: it must begin with https:// or http://"
    );
    for good in ["http://127.0.0.1:8200/", "https://[::1]:8200", "HTTPS://Vault.Example.com"] {
        case().var("VAULT_ADDR", good).var("VAULT_TOKEN", "s.1").settings();
    }
}

#[test]
fn certificates_are_checked_whatever_vaults_variable_says() {
    let vault = || case().var("VAULT_ADDR", "https://v").var("VAULT_TOKEN", "s.1");
    assert_snapshot!(vault().var("VAULT_SKIP_VERIFY", "true").refused(), @r"
    error: VAULT_SKIP_VERIFY is set, and berth checks Vault's certificate always
    hint: unset it, and name the certificate authority by VAULT_CACERT or `store.vault.ca`
    ");
    assert!(vault().var("VAULT_SKIP_VERIFY", "no").refused().contains("VAULT_SKIP_VERIFY"));
    for off in ["", "0", "f", "F", "False"] {
        vault().var("VAULT_SKIP_VERIFY", off).settings();
    }
}

#[test]
fn the_approles_secret_comes_by_variable_or_file_of_its_own() {
    let with = |more: &str| {
        let text =
            format!("store:\n  vault:\n    address: https://v\n    auth:\n      approle:\n        {more}\n");
        case().platform(&text)
    };
    let refused = with("{role-id: r1, secret-id: hunter2}").refused();
    assert!(!refused.contains("hunter2"));
    assert_snapshot!(refused, @r"
    error: platform.yaml:6:34: a `secret-id` must not be in a file
    hint: set BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID, or name a file by `secret-id-file`
    ");
    assert_snapshot!(with("role-id: r1").refused(), @r"
    error: platform.yaml:6:9: the AppRole has no secret id
    hint: set BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID, or name a file by `secret-id-file`
    ");
    let variable = "BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID";
    assert_snapshot!(with("path: apps").var(variable, "hunter2").refused(), @"error: BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID: `store.vault.auth.approle` needs `role-id`");
    let Auth::AppRole { path, role_id, secret_id: SecretId::Value(_) } =
        with("role-id: r1").var(variable, "hunter2").auth()
    else {
        panic!()
    };
    assert_eq!((path.as_ref(), role_id.as_str()), ("approle", "r1"));
    let by_file = with("{role-id: r1, secret-id-file: /run/secret}").auth();
    assert!(
        matches!(by_file, Auth::AppRole { secret_id: SecretId::File(file), .. } if file.ends_with("secret"))
    );
}

#[test]
fn a_pod_logs_in_with_its_own_token() {
    let text = "store: {vault: {address: 'https://v', auth: {kubernetes: {role: berth}}}}";
    let Auth::Kubernetes { path, role, token_file } = case().platform(text).auth() else { panic!() };
    assert_eq!((path.as_ref(), role.as_str()), ("kubernetes", "berth"));
    assert_eq!(token_file.as_os_str(), "/var/run/secrets/kubernetes.io/serviceaccount/token");
    let text = "store: {vault: {address: 'https://v', auth: {kubernetes: {}}}}";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:1:58: `store.vault.auth.kubernetes` needs `role`");
}

#[test]
fn a_job_logs_in_with_githubs_token() {
    let with = |keys: &str| {
        case().platform(&format!("store: {{vault: {{address: 'https://v', auth: {{jwt: {keys}}}}}}}"))
    };
    let job = |keys: &str| {
        with(keys)
            .var("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example/?a=1")
            .var("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "gh-1")
    };
    let Auth::Jwt { path, role, token: Jwt::GitHub { url, audience, .. } } =
        job("{path: jwt-github, role: berth, audience: vault}").auth()
    else {
        panic!()
    };
    assert_eq!((path.as_ref(), role.as_str()), ("jwt-github", "berth"));
    assert_eq!((url.as_str(), audience.as_deref()), ("https://token.example/?a=1", Some("vault")));
    let default = job("{role: berth}").auth();
    assert!(matches!(default, Auth::Jwt { token: Jwt::GitHub { audience: None, .. }, .. }));
    let file = with("{role: berth, token-file: /run/token}").auth();
    assert!(matches!(file, Auth::Jwt { token: Jwt::File(file), .. } if file.ends_with("token")));
    assert_snapshot!(with("{role: berth}").refused(), @r"
    error: platform.yaml:1:51: the job cannot ask GitHub for a token: ACTIONS_ID_TOKEN_REQUEST_URL is not set
    hint: give the job `permissions: {id-token: write}`, or set `token-file` outside of GitHub
    ");
    assert_snapshot!(job("{path: jwt-github}").refused(), @"error: platform.yaml:1:51: `store.vault.auth.jwt` needs `role`");
    assert_snapshot!(with("{role: berth, token-file: t, audience: vault}").refused(), @"error: platform.yaml:1:90: `audience` is for GitHub's token; a `token-file` has one in it");
}

#[test]
fn there_is_one_way_to_log_in() {
    let text = "store: {vault: {address: 'https://v', auth: {token: {}, jwt: {role: berth}}}}";
    assert_snapshot!(case().platform(text).refused(), @"error: platform.yaml:1:62: `store.vault.auth` takes one kind, and here are both `token` and `jwt`");
}

#[test]
fn no_secret_is_in_what_can_be_printed() {
    let canaries = |case: Case| {
        let environment = Environment::of(case.variables.iter().copied());
        format!("{:?} {environment:?}", case.settings())
    };
    let token = case().var("VAULT_ADDR", "https://v").var("VAULT_TOKEN", "canary-1");
    let approle = case()
        .platform("store: {vault: {address: 'https://v', auth: {approle: {role-id: r1}}}}")
        .var("BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID", "canary-2");
    let jwt = case()
        .platform("store: {vault: {address: 'https://v', auth: {jwt: {role: berth}}}}")
        .var("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example")
        .var("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-3");
    for case in [token, approle, jwt] {
        let printed = canaries(case);
        assert!(!printed.contains("canary"), "{printed}");
    }
}

// ---- the schema ----

/// The part of CONFIG.md's first sample that exists so far.
const SAMPLE: &str = r#"# platform.yaml
version: 1
store:
  vault:                                   # or kubernetes: {namespace: berth}, or file: DIR
    address: https://vault.example.com     # else VAULT_ADDR
    mount: kv
    path: ephemeral-clusters
    auth: {jwt: {path: jwt-github, role: berth}}   # token (VAULT_TOKEN), approle, kubernetes
dns: {domain: preview.example.com, resolvers: [192.168.1.3]}
lifetime: {grace: 1h, max: 3d, warn: 4h, stuck: 30m}
pools:
  lab:
    range: 192.168.1.140-192.168.1.149     # or a CIDR
    exclude: []
    block: 2                               # even VIP, node = VIP + 1
    reuse-after: 10m
    max-per-repository: 0                  # 0: no limit
    when-full: queue                       # wait, fail
providers:
  k3s:
    kind: capi-k3s
    pool: lab
    kubernetes: {context: clustermgmt}     # or in-cluster: true
    version: v1.30.6+k3s1
    network: {gateway: 192.168.1.1, prefix: 24, dns: [192.168.1.3]}
    machine: {nodes: [node03], template: 9004, cores: 4, sockets: 2, memory: 16Gi, disk: 20Gi, vm-ids: 401-450}
    copy-secrets: [dev/proxmox-credentials]
    # templates: ./cluster                 # replaces the built-in manifests: any Cluster API provider
    operators:
      - {chart: cert-manager, repo: "https://charts.jetstack.io", version: v1.16.2, namespace: cert-manager}
      - {kustomize: operators/external-dns}
    resources:
      - {manifests: resources/issuer.yaml}
"#;

#[test]
fn the_sample_of_the_manual_is_valid_and_says_the_defaults() {
    let case = case()
        .platform(SAMPLE)
        .var("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example")
        .var("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "gh-1");
    let (sample, default) = (case.settings(), self::case().settings());
    assert_eq!(sample.lifetime, default.lifetime);
    assert_eq!(sample.pool(None).unwrap().1, default.pool(None).unwrap().1);
    let bare = self::case().platform("providers: {k3s: {kind: capi-k3s}}").settings();
    let ProviderSettings::CapiK3s(sample) = sample.provider().unwrap().1;
    let ProviderSettings::CapiK3s(bare) = bare.provider().unwrap().1;
    assert_eq!(sample.manifests, bare.manifests);
}

/// What the schema says about keys that the user chooses.
fn chosen(schema: &serde_json::Value) -> Option<&serde_json::Value> {
    schema["patternProperties"].as_object()?.values().next()
}

/// Whether a value has no key that the schema does not know, and every type that it says.
fn check(schema: &serde_json::Value, value: &serde_json::Value, at: &str) {
    use serde_json::Value;
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let actual = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        _ => "string",
    };
    assert!(types.is_empty() || types.contains(&actual), "{at}: {types:?} is not {actual}");
    for (key, below) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(key).or_else(|| chosen(schema));
        check(
            known.unwrap_or_else(|| panic!("{at}.{key} is not in the schema")),
            below,
            &format!("{at}.{key}"),
        );
    }
}

#[test]
fn the_schema_knows_every_key_of_the_manuals_sample() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    check(&schema, &serde_saphyr::from_str(SAMPLE).unwrap(), "");
}

#[test]
fn the_schema_describes_every_key_and_allows_no_other() {
    fn visit(node: &serde_json::Value, at: &str) {
        for (key, below) in node["properties"].as_object().into_iter().flatten() {
            assert!(below["description"].is_string(), "{at}.{key} has no description");
            visit(below, &format!("{at}.{key}"));
        }
        let group = node["properties"].is_object() || node["patternProperties"].is_object();
        assert!(!group || node["additionalProperties"] == false, "{at} allows any key");
        if let Some(below) = chosen(node) {
            visit(below, &format!("{at}.*"));
        }
        if let Some(item) = node.get("items") {
            visit(item, &format!("{at}[]"));
        }
    }
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    visit(&schema, "");
    assert_snapshot!(serde_json::to_string_pretty(&schema["properties"]["lifetime"]).unwrap(), @r#"
    {
      "additionalProperties": false,
      "description": "How long environments live. An app file may only shorten what the platform file says.",
      "properties": {
        "grace": {
          "default": "1h",
          "description": "How long a closed pull request keeps its environment.",
          "minLength": 2,
          "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
          "type": [
            "string",
            "null"
          ]
        },
        "max": {
          "default": "3d",
          "description": "How long an environment lives at most.",
          "minLength": 2,
          "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
          "type": [
            "string",
            "null"
          ]
        },
        "stuck": {
          "default": "30m",
          "description": "After how long without progress an environment counts as stuck.",
          "minLength": 2,
          "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
          "type": [
            "string",
            "null"
          ]
        },
        "warn": {
          "default": "4h",
          "description": "How long before its end people are warned.",
          "minLength": 2,
          "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
          "type": [
            "string",
            "null"
          ]
        }
      },
      "type": [
        "object",
        "null"
      ]
    }
    "#);
}
