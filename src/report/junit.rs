//! `junit.xml`: units and expectations as test cases, for whatever CI shows test results.

use super::facts::Facts;
use super::number::maybe;
use crate::table::{ExpectationRecord, UnitRecord, UnitStatus};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The whole file.
pub(super) fn render(facts: &Facts) -> Result<String, SerializeError> {
    let mut report = Report::new(facts.manifest().at("job.name").text().unwrap_or("tcs-batch"));
    let mut units = TestSuite::new("units");
    units.add_test_cases(facts.units.iter().map(unit));
    report.add_test_suite(units);
    let mut expectations = TestSuite::new("expectations");
    expectations.add_test_cases(facts.expectations.iter().map(expectation));
    report.add_test_suite(expectations);
    report.to_string()
}

fn unit(unit: &UnitRecord) -> TestCase {
    let message = unit.error.clone().unwrap_or_default();
    let status = match unit.status {
        UnitStatus::Done => TestCaseStatus::success(),
        UnitStatus::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(message).set_type(unit.error_kind.as_deref().unwrap_or("failed"));
            status
        }
        UnitStatus::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(message);
            status
        }
    };
    let mut case = TestCase::new(unit.unit.as_str(), status);
    case.set_classname(unit.dataset.as_str());
    // A negative or endless time would panic; it can only come from a broken table.
    if let Ok(time) = Duration::try_from_secs_f64(unit.seconds) {
        case.set_time(time);
    }
    case
}

fn expectation(row: &ExpectationRecord) -> TestCase {
    let status = if row.held {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let source = row.source.as_deref().map_or_else(String::new, |source| format!(" ({source})"));
        let tolerance = row.tolerance.map_or_else(String::new, |tolerance| format!(" ± {}", maybe(Some(tolerance))));
        status.set_message(format!("published {}{tolerance}{source}, ours {}", maybe(row.published), maybe(row.observed)));
        status.set_type("expectation");
        status
    };
    let mut case = TestCase::new(row.metric.as_str(), status);
    case.set_classname(row.dataset.as_str());
    case
}
