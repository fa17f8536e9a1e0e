use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Instant, TimestampFault> {
    instant(&TimestampReader::new(None, "UTC"), text)
}

fn instant(reader: &TimestampReader, text: &str) -> Result<Instant, TimestampFault> {
    reader.read(text).map(|(at, _)| at)
}

/// In that zone.
fn local(zone: &str, text: &str) -> Result<Instant, TimestampFault> {
    instant(&TimestampReader::new(None, zone), text)
}

fn at(text: &str) -> Instant {
    let at: jiff::Timestamp = text.parse().unwrap();
    Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

#[test]
fn every_listed_form_is_taken() {
    let instant = at("2026-11-23T10:05:07Z");
    for text in [
        "2026-11-23T10:05:07Z",
        "2026-11-23 10:05:07Z",
        "2026-11-23T10:05:07",
        "2026-11-23T12:05:07+02:00",
        "2026-11-23T12:05:07+0200",
        "2026-11-23 05:05:07 -05",
        "1795428307",
        "1795428307000",
        "1795428307000000",
        "1795428307000000000",
        "1795428307.0",
        " 2026-11-23t10:05:07z ",
    ] {
        assert_eq!(read(text), Ok(instant), "{text}");
    }
    assert_eq!(read("2026-11-23"), Ok(at("2026-11-23T00:00:00Z")));
    assert_eq!(read("2026-11-23T10:05"), Ok(at("2026-11-23T10:05:00Z")));
    assert_eq!(read("2026-11-23T10:05:07.123456789Z"), Ok(at("2026-11-23T10:05:07.123456789Z")));
    assert_eq!(read("2026-11-23T10:05:07,25+00:00"), Ok(at("2026-11-23T10:05:07.25Z")));
    assert_eq!(read("1795428307.5"), Ok(at("2026-11-23T10:05:07.5Z")));
    assert_eq!(read("1795428307123"), Ok(at("2026-11-23T10:05:07.123Z")));
}

#[test]
fn what_is_not_sure_is_refused() {
    use TimestampFault::{Ambiguous, Form, Range};
    for (text, fault) in [
        ("03/04/2021", Ambiguous),
        ("03-04-21", Ambiguous),
        ("20261123", Ambiguous),
        ("3.4.2021 10:00", Ambiguous),
        ("3.4.2021", Ambiguous),
        ("23.11.26", Ambiguous),
        ("1969-12-31T23:59:59Z", Range),
        ("2200-01-01T00:00:01Z", Range),
        ("-5", Range),
        ("99999999999999999999999999", Range),
        (&"9".repeat(500), Range),
        ("99999999999999999999.5", Range),
        (".5", Form),
        ("5.", Form),
        ("soon", Form),
        ("2026-02-30", Form),
        ("2026-13-01", Form),
        ("2026-11-23T24:00:00Z", Form),
        ("2026-11-23T10:05:61Z", Form),
        ("2026-11-23T10:05:07,Z", Form),
        ("1795428307,5", Form),
        ("2026-11-23T10:05:07+2:00", Form),
        ("2026-11-23T10:05:07Zulu", Form),
        ("1.2.3.4", Form),
        (".", Form),
    ] {
        assert_eq!(read(text), Err(fault), "{text}");
    }
    assert_eq!(read("2200-01-01"), Ok(Instant { seconds: LAST_SECOND, nanos: 0 }));
}

#[test]
fn times_without_an_offset_are_in_the_zone() {
    let paris = TimestampReader::new(None, "Europe/Paris");
    assert_eq!(instant(&paris, "2026-07-01 12:00:00"), Ok(at("2026-07-01T10:00:00Z")));
    assert_eq!(instant(&paris, "2026-12-01"), Ok(at("2026-11-30T23:00:00Z")));
    assert_eq!(instant(&paris, "2026-07-01T12:00:00Z"), Ok(at("2026-07-01T12:00:00Z")));
}

#[test]
fn a_columns_format_makes_sure_what_was_not() {
    let reader = TimestampReader::new(Some("%d/%m/%Y %H:%M"), "Europe/Paris");
    assert_eq!(instant(&reader, "03/04/2021 12:30"), Ok(at("2021-04-03T10:30:00Z")));
    assert_eq!(instant(&reader, "2021-04-03"), Err(TimestampFault::Form));
    assert_eq!(
        instant(&TimestampReader::new(Some("%m/%d/%y"), "UTC"), "04/03/21"),
        Ok(at("2021-04-03T00:00:00Z"))
    );
}

#[test]
fn digits_that_read_as_a_date_are_refused() {
    for text in [
        "2026",
        "1970",
        "2199",
        "202611",
        "20261123",
        "19500101",
        "2026112310",
        "202611231005",
        "20261123100560",
        "20261123.5",
        "20261123100560.25",
        "2026.11",
        "03.04",
        "3.4",
        "31.12",
        "12.31",
        "11.2026",
        "1970010100",
    ] {
        assert_eq!(read(text), Err(TimestampFault::Ambiguous), "{text}");
        let zone = local("Asia/Tokyo", text);
        assert_eq!(zone, Err(TimestampFault::Ambiguous), "{text}");
    }
    // A column's own format says which they are.
    let by = |format: &str, text: &str| instant(&TimestampReader::new(Some(format), "UTC"), text);
    assert_eq!(by("%Y%m%d%H", "2026112310"), Ok(at("2026-11-23T10:00:00Z")));
    assert_eq!(by("%s", "2026112310"), Ok(Instant { seconds: 2_026_112_310, nanos: 0 }));
    assert_eq!(by("%s.%f", "1795428307.5"), Ok(at("2026-11-23T10:05:07.5Z")));
}

#[test]
fn digits_that_read_as_no_date_are_unix_times() {
    let second = |seconds| Ok(Instant { seconds, nanos: 0 });
    for (text, is) in [
        ("0", second(0)),
        ("1", second(1)),
        ("1795428307", second(1_795_428_307)),
        // No such month, day or hour.
        ("202613", second(202_613)),
        ("20260230", second(20_260_230)),
        ("2026112324", second(2_026_112_324)),
        ("20261123123", second(20_261_123_123)),
        ("1899", second(1_899)),
        ("32.13", Ok(Instant { seconds: 32, nanos: 130_000_000 })),
        ("0.5", Ok(Instant { seconds: 0, nanos: 500_000_000 })),
        ("3.456", Ok(Instant { seconds: 3, nanos: 456_000_000 })),
        ("123.04", Ok(Instant { seconds: 123, nanos: 40_000_000 })),
        ("1795428307.04", Ok(Instant { seconds: 1_795_428_307, nanos: 40_000_000 })),
    ] {
        let is = is.and_then(
            |is: Instant| if is.seconds < LAST_SECOND { Ok(is) } else { Err(TimestampFault::Range) },
        );
        assert_eq!(read(text), is, "{text}");
    }
}

#[test]
fn the_unit_of_digits_turns_at_powers_of_ten() {
    use UnixUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    let unit = |text: &str| {
        TimestampReader::new(None, "UTC").read(text).map(|(at, unit)| (at.seconds, at.nanos, unit))
    };
    assert_eq!(unit("7258118400"), Ok((LAST_SECOND, 0, Some(Seconds))));
    assert_eq!(unit("7258118401"), Err(TimestampFault::Range));
    // 10^11 - 1 seconds are in the year 5138.
    assert_eq!(unit("99999999999"), Err(TimestampFault::Range));
    assert_eq!(unit("100000000000"), Ok((100_000_000, 0, Some(Milliseconds))));
    assert_eq!(unit("100000000001"), Ok((100_000_000, 1_000_000, Some(Milliseconds))));
    assert_eq!(unit("99999999999999"), Err(TimestampFault::Range));
    assert_eq!(unit("100000000000000"), Ok((100_000_000, 0, Some(Microseconds))));
    assert_eq!(unit("100000000000001"), Ok((100_000_000, 1_000, Some(Microseconds))));
    assert_eq!(unit("99999999999999999"), Err(TimestampFault::Range));
    assert_eq!(unit("100000000000000000"), Ok((100_000_000, 0, Some(Nanoseconds))));
    assert_eq!(unit("100000000000000001"), Ok((100_000_000, 1, Some(Nanoseconds))));
    assert_eq!(unit("7258118400000000000"), Ok((LAST_SECOND, 0, Some(Nanoseconds))));
    assert_eq!(unit("7258118400000000001"), Err(TimestampFault::Range));
}

#[test]
fn a_fraction_is_cut_behind_nanoseconds() {
    let nanos = at("2026-11-23T10:05:07.123456789Z");
    assert_eq!(read("2026-11-23T10:05:07.1234567899Z"), Ok(nanos));
    assert_eq!(read("2026-11-23T10:05:07,123456789999999999999999Z"), Ok(nanos));
    assert_eq!(read("1795428307.1234567899"), Ok(nanos));
    assert_eq!(read("2026-11-23T10:05:07.000000001Z"), Ok(at("2026-11-23T10:05:07.000000001Z")));
}

#[test]
fn offsets_of_less_than_an_hour_and_of_almost_a_day_are_taken() {
    for (text, utc) in [
        ("2026-11-23T10:05:07-00:30", "2026-11-23T10:35:07Z"),
        ("2026-11-23T10:05:07+00:30", "2026-11-23T09:35:07Z"),
        ("2026-11-23T10:05:07-0030", "2026-11-23T10:35:07Z"),
        ("2026-11-23T10:05:07+23:59", "2026-11-22T10:06:07Z"),
        ("2026-11-23T10:05:07-23:59", "2026-11-24T10:04:07Z"),
        ("1970-01-01T23:59:00+23:59", "1970-01-01T00:00:00Z"),
        ("1969-12-31T00:01:00-23:59", "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(read(text), Ok(at(utc)), "{text}");
        assert_eq!(local("America/Los_Angeles", text), Ok(at(utc)), "{text}");
    }
    assert_eq!(read("1970-01-01T00:00:00+00:01"), Err(TimestampFault::Range));
    for wrong in ["+24:00", "-23:60", "+1", "+00:3", "+"] {
        assert_eq!(read(&format!("2026-11-23T10:05:07{wrong}")), Err(TimestampFault::Form), "{wrong}");
    }
}

#[test]
fn a_leap_second_is_the_start_of_the_next_second() {
    let new_year = Ok(at("2017-01-01T00:00:00Z"));
    for text in
        ["2016-12-31T23:59:60Z", "2016-12-31 23:59:60", "2017-01-01T05:29:60+05:30", "2016-12-31T15:59:60-08"]
    {
        assert_eq!(read(text), new_year, "{text}");
    }
    assert_eq!(read("2016-12-31T23:59:60.25Z"), Ok(at("2017-01-01T00:00:00.25Z")));
    assert_eq!(local("America/Los_Angeles", "2016-12-31 15:59:60"), new_year);
    assert_eq!(local("Asia/Kolkata", "2017-01-01 05:29:60"), new_year);
    // UTC has one at its midnight alone.
    for wrong in ["2016-12-31T23:58:60Z", "2016-12-31T22:59:60Z", "2016-12-31T23:59:60+05:00"] {
        assert_eq!(read(wrong), Err(TimestampFault::Form), "{wrong}");
    }
    assert_eq!(local("Asia/Kolkata", "2016-12-31 23:59:60"), Err(TimestampFault::Form));
}

#[test]
fn a_time_that_clocks_skip_is_later_and_one_that_they_show_twice_is_the_first() {
    let paris = |text: &str| local("Europe/Paris", text);
    assert_eq!(paris("2026-03-29 01:59:59"), Ok(at("2026-03-29T00:59:59Z")));
    assert_eq!(
        paris("2026-03-29 02:30:00"),
        Ok(at("2026-03-29T01:30:00Z")),
        "there is no 02:30: it is 03:30"
    );
    assert_eq!(paris("2026-03-29 03:00:00"), Ok(at("2026-03-29T01:00:00Z")));
    assert_eq!(paris("2026-10-25 02:30:00"), Ok(at("2026-10-25T00:30:00Z")), "02:30 comes twice");
    assert_eq!(paris("2026-10-25 03:00:00"), Ok(at("2026-10-25T02:00:00Z")));
}

#[test]
fn years_that_no_zone_reaches_are_out_of_range_and_not_out_of_form() {
    for zone in ["UTC", "Europe/Paris", "America/Los_Angeles", "Pacific/Kiritimati"] {
        for text in [
            "9999-12-31",
            "9999-12-31 23:59:59",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01",
            "0000-01-01 00:00:00",
            "0001-01-01T00:00:00+14:00",
            "2200-01-02 12:00:00",
            "1969-12-30",
        ] {
            assert_eq!(local(zone, text), Err(TimestampFault::Range), "{text} in {zone}");
        }
        for text in ["9999-12-31x", "9999-13-31", "0001-02-29"] {
            assert_eq!(local(zone, text), Err(TimestampFault::Form), "{text} in {zone}");
        }
        for (format, text) in [
            ("%d/%m/%Y", "31/12/9999"),
            ("%d/%m/%Y", "01/01/0001"),
            ("%d/%m/%Y %H:%M %z", "31/12/9999 23:59 -0500"),
        ] {
            let reader = TimestampReader::new(Some(format), zone);
            assert_eq!(instant(&reader, text), Err(TimestampFault::Range), "{text} in {zone}");
        }
    }
    assert_eq!(local("America/Los_Angeles", "1969-12-31 16:00:00"), Ok(at("1970-01-01T00:00:00Z")));
    assert_eq!(local("Europe/Paris", "2200-01-01 01:00:00"), Ok(at("2200-01-01T00:00:00Z")));
    assert_eq!(local("Europe/Paris", "1970-01-01 00:59:59"), Err(TimestampFault::Range));
}

#[test]
fn a_zone_in_the_text_comes_before_the_columns() {
    let read = |format: &str, text: &str| instant(&TimestampReader::new(Some(format), "Europe/Paris"), text);
    let time = Ok(at("2026-11-23T10:00:00Z"));
    assert_eq!(read("%Y-%m-%d %H:%M %z", "2026-11-23 05:00 -0500"), time);
    assert_eq!(read("%Y-%m-%d %H:%M %Q", "2026-11-23 19:00 Asia/Tokyo"), time);
    assert_eq!(read("%Y-%m-%d %z", "2026-11-23 -1000"), time, "midnight in that zone");
}

#[test]
fn a_format_that_cannot_be_read_does_not_hold() {
    for format in [
        "%d/%m/%Y",
        "%d/%m/%Y %H:%M",
        "%m/%d/%y",
        "[%Y-%m-%d]",
        "%Y%m%d",
        "%Y%m%d%H%M%S%f",
        "%F %T%.f",
        "%FT%T%:z",
        "%d %b %Y",
        "%A, %B %d, %Y at %I:%M%P",
        "%-d.%-m.%Y %l:%M %p",
        "%e %h %Y",
        "%s",
        "%s.%f",
        "%Y-%j",
        "%G-W%V-%u",
        "%D %R",
        "%Y-%m-%d %H",
        "%Y-%m-%d %H:%M %Q",
        "%d/%m/%Y at %k o'clock",
        "%Y %U %w",
        "%Y %W %u",
        "%T.%3f %F",
    ] {
        assert_eq!(check_format(format), Ok(()), "{format}");
    }
    for (format, part) in [
        ("%Y-%m-%d %Z", "not allowed"),
        ("%c", "not allowed"),
        ("%x", "not allowed"),
        ("%F %X", "not allowed"),
        ("%F %r", "not allowed"),
        ("%F %q", "`q`"),
        ("%H:%M", "no whole date"),
        ("%d/%m", "no whole date"),
        ("%Y", "no whole date"),
        ("%Y-%m", "no whole date"),
        ("today", "no whole date"),
        ("", "no whole date"),
        ("%F %I:%M", "%p"),
        ("%F %M:%S", "no whole date"),
        ("%F %!", "!"),
        ("%", "%"),
    ] {
        let reason = check_format(format).expect_err(format);
        assert!(reason.contains(part), "{format}: {reason}");
    }
}

#[test]
fn days_are_counted_as_the_calendar_has_them() {
    // 0000-01-01
    let mut behind = -719_528;
    for year in 0..=9_999_i16 {
        for (month, day) in (1..=12).flat_map(|month| (0..=32).map(move |day| (month, day))) {
            let is_date = Date::new(year, month, day).is_ok();
            let days = iso::days(year.into(), month.into(), day.into());
            assert_eq!(days, is_date.then_some(behind), "{year}-{month}-{day}");
            behind += i64::from(is_date);
        }
    }
    assert_eq!(iso::days(2026, 0, 1), None);
    assert_eq!(iso::days(2026, 13, 1), None);
}

proptest! {
    #[test]
    fn what_jiff_writes_is_read_back(seconds in 0..LAST_SECOND, nanos in 0..1_000_000_000) {
        let at = jiff::Timestamp::new(seconds, nanos).unwrap();
        prop_assert_eq!(read(&at.to_string()), Ok(Instant { seconds, nanos }));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = read(&text);
        let _ = TimestampReader::new(Some("%d/%m/%Y"), "Europe/Paris").read(&text);
    }
}
