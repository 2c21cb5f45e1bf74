//! JUnit as the tools of this world write it, and as nobody should.

use berth::domain::{
    junit::{BYTES, CASES, DEPTH, Unreadable, read},
    results::{FAILURES, Results},
};
use proptest::prelude::*;

fn of(report: &str) -> Results {
    read(report.as_bytes(), "cypress").unwrap()
}

fn refused(report: &str) -> Unreadable {
    read(report.as_bytes(), "cypress").unwrap_err()
}

/// Passed, failed, skipped.
fn counts(results: &Results) -> (u32, u32, u32) {
    (results.passed, results.failed, results.skipped)
}

/// Each failure in one line.
fn failures(results: &Results) -> Vec<String> {
    let line = |f: &berth::domain::results::Failure| {
        format!("{} | {} | {}", f.name, f.message, f.at.as_deref().unwrap_or("-"))
    };
    results.failures.iter().map(line).collect()
}

// ---- the tools ----

#[test]
fn cypress_by_way_of_mocha() {
    let results = of(r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="Mocha Tests" time="12.3450" tests="3" failures="1">
  <testsuite name="Root Suite" timestamp="2026-01-21T12:00:00" tests="0" file="cypress/e2e/cart.cy.ts" time="0.0000" failures="0">
  </testsuite>
  <testsuite name="cart" timestamp="2026-01-21T12:00:00" tests="3" time="12.3450" failures="1">
    <testcase name="cart opens" time="1.2000" classname="opens"></testcase>
    <testcase name="cart adds an item" time="11.1450" classname="adds an item">
      <failure message="expected 1, got 0" type="AssertionError"><![CDATA[AssertionError: expected 1, got 0
    at Object.fail (webpack:///./node_modules/chai/index.js:99:1)
    at Context.eval (webpack:///./cypress/e2e/cart.cy.ts:31:7)]]></failure>
    </testcase>
    <testcase name="cart pays" time="0.0000" classname="pays"><skipped/></testcase>
  </testsuite>
</testsuites>"#);
    assert_eq!(
        (counts(&results), results.seconds, results.name.as_str()),
        ((1, 1, 1), Some(12.345), "cypress")
    );
    assert_eq!(failures(&results), ["cart adds an item | expected 1, got 0 | cart.cy.ts:31"]);
}

#[test]
fn surefire_and_gradle_have_a_suite_alone_and_tell_flaky_tests_apart() {
    let results = of(
        r#"<testsuite name="com.acme.CartTest" tests="3" skipped="0" failures="0" errors="1" time="1,500.25">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="adds" classname="com.acme.CartTest" time=""/>
  <testcase name="flaky" classname="com.acme.CartTest"><flakyFailure message="once">x</flakyFailure></testcase>
  <testcase name="pays" classname="com.acme.CartTest" time="0.5"><error type="java.lang.NullPointerException">
java.lang.NullPointerException
	at com.acme.Cart.pay(Cart.java:12)
	at com.acme.CartTest.pays(CartTest.java:40)
  </error></testcase>
  <system-out><![CDATA[<testcase name="within a log"><failure/></testcase>]]></system-out>
</testsuite>"#,
    );
    assert_eq!((counts(&results), results.seconds), ((2, 1, 0), Some(1500.25)));
    assert_eq!(failures(&results), ["pays | java.lang.NullPointerException | CartTest.java:40"]);
}

#[test]
fn pytest_and_phpunit_say_file_and_line() {
    let pytest = of(r#"<testsuites><testsuite name="pytest" errors="0" failures="1" tests="1" time="0.1">
<testcase classname="tests.test_cart" name="test_adds" time="0.001"><failure message="assert 0 == 1">def test_adds():
&gt;       assert 0 == 1
E       assert 0 == 1

tests/test_cart.py:5: AssertionError</failure></testcase></testsuite></testsuites>"#);
    assert_eq!(failures(&pytest), ["test_adds | assert 0 == 1 | tests/test_cart.py:5"]);
    let phpunit = of(
        r#"<testsuites><testsuite name="all" failures="1"><testsuite name="CartTest" file="/app/CartTest.php" failures="1">
<testcase name="adds" file="/app/CartTest.php" line="7"><failure type="ExpectationFailed">
CartTest::adds
Failed asserting</failure></testcase></testsuite></testsuite></testsuites>"#,
    );
    assert_eq!(failures(&phpunit), ["adds | CartTest::adds | /app/CartTest.php:7"]);
    assert_eq!(counts(&phpunit), (0, 1, 0), "what outer suites sum up is not counted twice");
}

#[test]
fn a_test_that_was_left_out_is_said_in_many_ways() {
    let results = of(r#"<testsuites>
<testcase name="a"><skipped message="later"/></testcase>
<testsuite><testcase name="b" status="notrun"/><testcase name="c" status="run"/><testcase name="d" status="disabled"/></testsuite>
</testsuites>"#);
    assert_eq!(counts(&results), (1, 0, 3));
}

#[test]
fn entities_of_a_document_type_are_left_as_they_are_written() {
    let results =
        of(r#"<?xml version="1.0"?><!DOCTYPE testsuite [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>
<testsuite><testcase name="x &b; &lt;y&gt; &#233;"><failure>&b; &amp; AT&T
</failure></testcase></testsuite>"#);
    // An attribute with an entity that is not XML's own is taken as it is written, whole.
    assert_eq!(failures(&results), ["x &b; &lt;y&gt; &#233; | &b; & AT&T | -"]);
}

#[test]
fn several_reports_one_after_the_other_are_one() {
    let one = r#"<?xml version="1.0"?><testsuite time="1"><testcase name="a"/></testsuite>"#;
    let results = of(&format!("\u{feff}{one}\n{one}\n"));
    assert_eq!((counts(&results), results.seconds), ((2, 0, 0), Some(2.0)));
}

#[test]
fn bytes_that_are_no_text_do_not_cost_the_report() {
    let report = b"<testsuite><testcase name='caf\xe9'><failure message='\xff\xfe'/></testcase></testsuite>";
    assert_eq!(failures(&read(report, "x").unwrap()), ["caf\u{fffd} | \u{fffd}\u{fffd} | -"]);
}

#[test]
fn times_that_could_mean_two_things_are_left_out() {
    let seconds = |time: &str| {
        of(&format!("<testsuite time='{time}'><testcase name='a' time='2'/></testsuite>")).seconds
    };
    assert_eq!(seconds("1,234,500.25"), Some(1_234_500.25));
    assert_eq!(seconds("1,500"), Some(2.0), "then the cases' own count");
    for never in ["", "NaN", "inf", "-1", "soon"] {
        assert_eq!(seconds(never), Some(2.0), "{never:?}");
    }
}

// ---- never green by mistake ----

#[test]
fn a_report_without_tests_is_no_result() {
    for empty in [
        "",
        " \n",
        "<?xml version='1.0'?>",
        "<testsuites/>",
        "<testsuites tests='0' failures='0'><testsuite name='none'/></testsuites>",
        "<testsuites tests='12'/>",
    ] {
        assert_eq!(refused(empty), Unreadable::Empty, "{empty}");
    }
}

#[test]
fn a_report_that_ends_early_is_no_result_wherever_it_is_cut() {
    let whole = r#"<testsuites><testsuite name="a"><testcase name="b" time="1"/><testcase name="c"><failure message="m">t &amp; u<![CDATA[v]]></failure></testcase></testsuite></testsuites>"#;
    assert_eq!(counts(&of(whole)), (1, 1, 0));
    for end in 1..whole.len() {
        let cut = refused(&whole[..end]);
        assert!(matches!(cut, Unreadable::Cut | Unreadable::NotXml { .. }), "{end}: {cut:?}");
    }
}

#[test]
fn a_failure_that_is_only_summed_up_is_a_failure() {
    let results = of(
        "<testsuites failures='2' errors='1'><testsuite failures='2'><testcase name='a'/></testsuite></testsuites>",
    );
    assert_eq!((counts(&results), results.failures.len()), ((1, 3, 0), 0));
    let suite =
        of("<testsuites><testsuite name='setup'><error message='no database'/></testsuite></testsuites>");
    assert_eq!((counts(&suite), failures(&suite)), ((0, 1, 0), vec!["setup | no database | -".to_owned()]));
}

#[test]
fn what_is_no_junit_says_so() {
    assert_eq!(refused("FAILED (2 errors)"), Unreadable::NotJunit("text".into()));
    assert_eq!(refused("<html><testsuite/></html>"), Unreadable::NotJunit("<html>".into()));
    assert_eq!(refused("<testcase name='a'/>"), Unreadable::NotJunit("<testcase>".into()));
    assert!(matches!(refused("<testsuite></testsuites>"), Unreadable::NotXml { .. }));
    assert!(matches!(refused("<testsuite><testcase name=a/></testsuite>"), Unreadable::NotXml { .. }));
    assert_eq!(
        refused("<testsuite></testcase>").to_string().split(':').next().unwrap(),
        "the JUnit report is no XML at byte 11"
    );
}

// ---- hostile ----

#[test]
fn what_a_hostile_report_holds_is_bounded() {
    let large = vec![b' '; BYTES + 1];
    assert_eq!(read(&large, "x").unwrap_err(), Unreadable::TooMuch("bytes"));
    let deep = "<testsuite>".repeat(DEPTH + 1);
    assert_eq!(refused(&deep), Unreadable::TooMuch("elements within each other"));
    let deep = format!("<testsuite><testcase name='a'>{}", "<x>".repeat(100_000));
    assert_eq!(refused(&deep), Unreadable::TooMuch("elements within each other"));
    let many = format!("<testsuite>{}</testsuite>", "<testcase/>".repeat(CASES as usize + 1));
    assert_eq!(refused(&many), Unreadable::TooMuch("cases"));
    let sums = "<testsuite failures='4294967295' errors='4294967295'><testcase/></testsuite>".repeat(3);
    assert_eq!(of(&sums).failed, u32::MAX);
}

#[test]
fn names_and_messages_are_cut_and_failures_beyond_a_hundred_are_counted() {
    let case = format!(
        "<testcase name='{0}'><failure message='{0}' type='{0}'>{0}</failure></testcase>",
        "é".repeat(50_000)
    );
    let results = of(&format!("<testsuite>{}</testsuite>", case.repeat(FAILURES + 5)));
    assert_eq!((results.failed as usize, results.failures.len()), (FAILURES + 5, FAILURES));
    assert!(results.failures.iter().all(|f| f.name.len() == 500 && f.message.len() == 500));
}

#[test]
fn an_element_with_very_many_attributes_takes_no_longer_than_its_length() {
    let attributes: String = (0..200_000).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(counts(&of(&format!("<testsuite{attributes}><testcase name='a'/></testsuite>"))), (1, 0, 0));
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "(<|>|/|testsuites?|testcase|failure| |name|=|'|&|;|\\]\\]>|<!\\[CDATA\\[|<!--|é|\\PC){0,60}") {
        // It is read or refused, and what is read tells of a test.
        if let Ok(results) = read(text.as_bytes(), "x") {
            prop_assert!(results.passed + results.failed + results.skipped > 0);
        }
    }
}
