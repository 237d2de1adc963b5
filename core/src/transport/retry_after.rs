//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use super::Response;

/// What an answer asks to wait, in milliseconds. A date is compared with the answer's own `Date`, so that this
/// device's clock does not matter; without one it is not believed.
pub(crate) fn read(response: &Response) -> Option<u64> {
    let value = response.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let (until, now) = (seconds_of(value)?, seconds_of(response.header("date")?.trim())?);
    Some(until.saturating_sub(now).saturating_mul(1_000))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    let (_, rest) = date.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    if parts.next() != Some("GMT") || !(1970..=9999).contains(&year) || day == 0 || day > 31 || hour > 23 {
        return None;
    }
    // Days since 1970, counting years from March so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&Response { status: 503, headers, body: bytes::Bytes::new() })
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(with(&[("retry-after", "120")]), Some(120_000));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(with(&[("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"), date]), Some(30_000));
        assert_eq!(with(&[("Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT"), date]), Some(0));
    }

    #[test]
    fn what_cannot_be_read_is_no_wait() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("retry-after", "soon")]), None);
        assert_eq!(with(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None, "a date without the server's");
        assert_eq!(with(&[("retry-after", "Sun, 06 Foo 1994 08:50:07 GMT")]), None);
    }

    #[test]
    fn dates_count_leap_years() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds_of("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600));
        assert_eq!(seconds_of("Fri, 21 Nov 2025 06:00:00 GMT"), Some(1_763_704_800));
    }
}
