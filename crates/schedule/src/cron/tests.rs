//! The grammar: what is read, into which seconds of the local clock, and what is refused.

use evoke_model::Problem;

use super::Cron;

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

/// The first matching times after the beginning of 2026, a Thursday, written like `01-31T09:00:00`
/// and, outside of 2026, with the year.
fn firsts(text: &str, count: usize) -> Vec<String> {
    let cron = cron(text);
    let start = jiff::civil::date(2026, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let mut from = start.timestamp().as_second();
    let mut found = Vec::new();
    while found.len() < count
        && let Some(at) = cron.local_from(from)
    {
        let time = jiff::Timestamp::from_second(at).unwrap().to_string();
        let time = time.trim_end_matches('Z');
        found.push(time.strip_prefix("2026-").unwrap_or(time).to_owned());
        from = at + 1;
    }
    found
}

#[test]
fn expressions_match_what_they_say() {
    let table: [(&str, &[&str]); 48] = [
        ("* * * * *", &["01-01T00:00:00", "01-01T00:01:00", "01-01T00:02:00"]),
        ("* * * * * *", &["01-01T00:00:00", "01-01T00:00:01", "01-01T00:00:02"]),
        ("30 9 * * *", &["01-01T09:30:00", "01-02T09:30:00"]),
        ("15 30 9 * * *", &["01-01T09:30:15", "01-02T09:30:15"]),
        ("  30\t 9  * * * ", &["01-01T09:30:00"]),
        ("*/20 0 * * *", &["01-01T00:00:00", "01-01T00:20:00", "01-01T00:40:00"]),
        ("10-40/15 0 * * *", &["01-01T00:10:00", "01-01T00:25:00", "01-01T00:40:00"]),
        ("5,1,3-4 0 * * *", &["01-01T00:01:00", "01-01T00:03:00", "01-01T00:04:00"]),
        ("0 22-2/2 * * *", &["01-01T00:00:00", "01-01T02:00:00", "01-01T22:00:00"]),
        ("55-5/5 0 * * *", &["01-01T00:00:00", "01-01T00:05:00", "01-01T00:55:00"]),
        ("0 0 1 * *", &["01-01T00:00:00", "02-01T00:00:00"]),
        ("0 0 30-2 * *", &["01-01T00:00:00", "01-02T00:00:00", "01-30T00:00:00"]),
        ("0 0 31 * *", &["01-31T00:00:00", "03-31T00:00:00", "05-31T00:00:00"]),
        ("0 0 29 2 *", &["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
        ("0 0 1 nov-FEB *", &["01-01T00:00:00", "02-01T00:00:00", "11-01T00:00:00"]),
        ("0 0 1 OCT-MAR/2 *", &["02-01T00:00:00", "10-01T00:00:00", "12-01T00:00:00"]),
        ("0 0 1 JaN,jUl *", &["01-01T00:00:00", "07-01T00:00:00"]),
        ("0 0 * * FRI-MON", &["01-02T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]),
        ("0 0 * * FRI-TUE/2", &["01-02T00:00:00", "01-04T00:00:00", "01-06T00:00:00"]),
        ("0 0 * * sat-mon/2", &["01-03T00:00:00", "01-05T00:00:00", "01-10T00:00:00"]),
        ("0 0 * * 7-2", &["01-04T00:00:00", "01-05T00:00:00", "01-06T00:00:00"]),
        ("0 0 * * 5-7", &["01-02T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]),
        ("0 0 * * 0", &["01-04T00:00:00", "01-11T00:00:00"]),
        ("0 0 * * 7", &["01-04T00:00:00", "01-11T00:00:00"]),
        ("0 0 * * */2", &["01-01T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]),
        ("0 0 * * 0-7/2", &["01-01T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]),
        ("0 0 * * FRI#2", &["01-09T00:00:00", "02-13T00:00:00"]),
        ("0 0 * * 4#5", &["01-29T00:00:00", "04-30T00:00:00"]),
        ("0 0 * * 5L", &["01-30T00:00:00", "02-27T00:00:00"]),
        ("0 0 * * FRI#L", &["01-30T00:00:00", "02-27T00:00:00"]),
        ("0 0 * * 7#L,MON#1", &["01-05T00:00:00", "01-25T00:00:00", "02-02T00:00:00"]),
        ("0 0 L * *", &["01-31T00:00:00", "02-28T00:00:00"]),
        ("0 0 L-3 * *", &["01-28T00:00:00", "02-25T00:00:00"]),
        ("0 0 L-30 * *", &["01-01T00:00:00", "03-01T00:00:00"]),
        ("0 0 LW * *", &["01-30T00:00:00", "02-27T00:00:00", "03-31T00:00:00"]),
        ("0 0 15W * *", &["01-15T00:00:00", "02-16T00:00:00", "03-16T00:00:00"]),
        ("0 0 1W 8 *", &["08-03T00:00:00", "2027-08-02T00:00:00"]),
        ("0 0 31W 5 *", &["05-29T00:00:00", "2027-05-31T00:00:00"]),
        ("0 0 31W 4,5 *", &["05-29T00:00:00"]),
        ("0 0 1,L * *", &["01-01T00:00:00", "01-31T00:00:00", "02-01T00:00:00"]),
        ("0 0 13 * FRI", &["01-02T00:00:00", "01-09T00:00:00", "01-13T00:00:00"]),
        ("0 0 13 * +FRI", &["02-13T00:00:00", "03-13T00:00:00", "11-13T00:00:00"]),
        ("0 0 1-7 * +MON", &["01-05T00:00:00", "02-02T00:00:00"]),
        ("0 0 */10 * MON", &["01-01T00:00:00", "01-05T00:00:00", "01-11T00:00:00"]),
        ("0 0 ? * MON", &["01-05T00:00:00", "01-12T00:00:00"]),
        ("0 0 1 * ?", &["01-01T00:00:00", "02-01T00:00:00"]),
        ("0 0 0 1 1 ? 2030-2199/2", &["2030-01-01T00:00:00", "2032-01-01T00:00:00"]),
        ("0 0 12 * * * 2026,2027", &["01-01T12:00:00", "01-02T12:00:00"]),
    ];
    for (text, expected) in table {
        assert_eq!(firsts(text, expected.len()), expected, "{text}");
    }
}

#[test]
fn nicknames_are_the_expressions_they_stand_for() {
    let table = [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @hourly ", "0 * * * *"),
    ];
    for (nickname, text) in table {
        assert_eq!(firsts(nickname, 5), firsts(text, 5));
        assert_eq!(cron(nickname).to_string(), nickname.trim());
    }
}

#[test]
fn the_end_of_the_years_is_the_end() {
    assert_eq!(firsts("0 0 0 31 12 * 2199", 2), ["2199-12-31T00:00:00"]);
    assert_eq!(firsts("0 0 0 1 1 * 1970", 1), Vec::<String>::new());
    // 2100 is no leap year, so that a weekday of 29 February can take forty years to come again.
    let fridays = ["2036-02-29T00:00:00", "2064-02-29T00:00:00", "2092-02-29T00:00:00"];
    assert_eq!(firsts("0 0 29 2 +FRI", 3), fridays);
    assert_eq!(firsts("0 0 29 2 +FRI", 4)[3], "2104-02-29T00:00:00");
    assert_eq!(firsts("0 0 29 2 +SUN", 4)[3], "2128-02-29T00:00:00");
}

#[test]
fn hours_that_are_a_rhythm_run_through() {
    for text in ["* * * * *", "0 */2 * * *", "0 9-17/2 * * *", "0 0-23 * * *", "@hourly"] {
        assert!(cron(text).runs_through(), "{text}");
    }
    for text in ["*/5 2 * * *", "0 2,3 * * *", "0 0-22 * * *", "* * 2 * * *", "@daily"] {
        assert!(!cron(text).runs_through(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_for_each_field() {
    let Err(problems) = Cron::parse("60 24 32 13 8") else { panic!("it is wrong") };
    let messages: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let expected = [
        "cron: minute: 60 is not within 0 to 59",
        "cron: hour: 24 is not within 0 to 23",
        "cron: month: 13 is not within 1 to 12",
        "cron: day of the month: 32 is not within 1 to 31",
        "cron: day of the week: 8 is not within 0 to 7",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn what_is_not_understood_is_refused_with_what_would_be() {
    let table = [
        ("", "expected five to seven fields, got 0"),
        ("* * * *", "expected five to seven fields, got 4"),
        ("* * * * * * * *", "expected five to seven fields, got 8"),
        ("TZ=Europe/Berlin 0 9 * * * * *", "name the time zone in timezone"),
        ("@dayly", "did you mean \"@daily\"?"),
        ("@Daily", "did you mean \"@daily\"?"),
        ("@reboot", "@reboot is not a time"),
        ("*/0 * * * *", "a step of 0 never arrives"),
        ("*/90 * * * *", "for an interval write every: 90m"),
        ("0 */36 * * *", "for an interval write every: 36h"),
        ("0/15 * * * *", "write 0-59/15"),
        ("/15 * * * *", "write */15"),
        ("*/x * * * *", "\"x\" is not a step"),
        ("*/-5 * * * *", "\"-5\" is not a step"),
        ("1-2-3 * * * *", "\"2-3\" is not a value from 0 to 59"),
        ("-5 * * * *", "a value is missing"),
        ("5- * * * *", "a value is missing"),
        ("1,,2 * * * *", "a value is missing"),
        (", * * * *", "a value is missing"),
        ("+5 * * * *", "\"+5\" is not a value"),
        ("** * * * *", "\"**\" is not a value"),
        ("99999999999 * * * *", "99999999999 is not within 0 to 59"),
        ("? * * * *", "? may only stand for the day of the month or of the week"),
        ("L * * * *", "\"L\" is not a value"),
        ("0 0 0 * *", "day of the month: 0 is not within 1 to 31"),
        ("0 0 l * *", "write L"),
        ("0 0 15w * *", "write 15W"),
        ("0 0 1-15W * *", "W goes with one day"),
        ("0 0 32W * *", "32 is not within 1 to 31"),
        ("0 0 W * *", "a value is missing"),
        ("0 0 L-0 * *", "L-0 is not 1 to 30 days before the last one"),
        ("0 0 L-31 * *", "L-31 is not 1 to 30 days before the last one"),
        ("0 0 * * L", "L needs a day in front of it"),
        ("0 0 * * 5l", "write 5L"),
        ("0 0 * * FRI#6", "#6 is not #1 to #5 or #L"),
        ("0 0 * * FRI#0", "#0 is not #1 to #5 or #L"),
        ("0 0 * * MON-FRI#1", "\"MON-FRI\" is not a value"),
        ("0 0 * * MON,+FRI", "\"+FRI\" is not a value"),
        ("0 0 +1 * MON", "\"+1\" is not a value"),
        ("0 0 * * MONDAY", "did you mean MON?"),
        ("0 0 * Sept *", "did you mean SEP?"),
        ("0 0 * * FRIDAYS", "did you mean FRI?"),
        ("0 0 0 1 1 * 1969", "1969 is not within 1970 to 2199"),
        ("0 0 0 1 1 * 2030-2020", "the range 2030-2020 ends before it begins"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 0 29 2 * 2027", "never fires"),
        ("0 0 31W 2 *", "never fires"),
        ("0 0 1 * +MON#2", "never fires"),
        ("٣ * * * *", "\"٣\" is not a value"),
    ];
    for (text, expected) in table {
        let Err(problems) = Cron::parse(text) else { panic!("{text} is understood") };
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!(problems[0].field, "cron");
        assert!(problems[0].to_string().contains(expected), "{text}: {}", problems[0]);
    }
    assert!(Cron::parse(&"1,".repeat(1_000)).is_err());
}
