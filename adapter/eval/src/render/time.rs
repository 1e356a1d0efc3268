//! `time.Time` as RFC 3339, in its own location's zone, read from the program's own tables (time.Time, time.Location, time.zone).

use golang::Value;
use machine::MemoryExt;

use crate::viewer::Viewer;

const HAS_MONOTONIC: u64 = 1 << 63;
/// Seconds from 1885-01-01 and from 0001-01-01 to 1970-01-01 (time.wallToInternal, time.unixToInternal).
const WALL_TO_UNIX: i64 = 2_682_288_000;
const YEAR_ONE_TO_UNIX: i64 = 62_135_596_800;
/// Seconds that are still shown as a date: about a million years.
const MAX_SECONDS: u64 = 1 << 45;

/// time.Location: name, zone, tx, extend, cacheStart, cacheEnd, cacheZone.
const ZONES: u64 = 16;
const TRANSITIONS: u64 = 40;
const CACHE_START: u64 = 80;
const ZONE_SIZE: u64 = 32;
const ZONE_OFFSET: u64 = 16;
const ZONE_IS_DST: u64 = 24;
const TRANSITION_SIZE: u64 = 16;
/// Transitions and zones that a location may have.
const MAX_TRANSITIONS: u64 = 1 << 16;

/// `2024-02-03T04:05:06Z`, with `, +141701` behind it for a monotonic reading in nanoseconds.
pub(super) fn describe(viewer: &Viewer<'_>, v: &Value) -> Option<String> {
    let b = golang::bytes(viewer.process, v, 0, 24).ok()?;
    let word = |i: usize| b.get(i..i + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let (wall, ext, location) = (word(0)?, word(8)?.cast_signed(), word(16)?);
    let monotonic = wall & HAS_MONOTONIC != 0;
    let unix = if monotonic {
        (wall << 1 >> 31).cast_signed() - WALL_TO_UNIX
    } else {
        ext.checked_sub(YEAR_ONE_TO_UNIX)?
    };
    if unix.unsigned_abs() > MAX_SECONDS {
        return None;
    }
    let offset = if location == 0 { 0 } else { offset(viewer, location, unix).unwrap_or(0) };
    let text = rfc3339(unix, offset);
    Some(if monotonic { format!("{text}, {ext:+}") } else { text })
}

/// Seconds east of UTC at a moment (time.Location.lookup, without the rule for the far future).
fn offset(viewer: &Viewer<'_>, location: u64, unix: i64) -> Option<i64> {
    let read = |at: u64| viewer.process.mem.read_u64(location.checked_add(at)?).ok();
    let (zones, zone_count) = (read(ZONES)?, read(ZONES + 8)?);
    if zone_count == 0 || zone_count > MAX_TRANSITIONS {
        return None;
    }
    let (start, end, cached) = (read(CACHE_START)?, read(CACHE_START + 8)?, read(CACHE_START + 16)?);
    let zone = |at: u64| {
        let offset = viewer.process.mem.read_u64(at.checked_add(ZONE_OFFSET)?).ok()?.cast_signed();
        (offset.unsigned_abs() < 48 * 3600).then_some(offset)
    };
    if cached != 0 && start.cast_signed() <= unix && unix < end.cast_signed() {
        return zone(cached);
    }
    let (table, count) = (read(TRANSITIONS)?, read(TRANSITIONS + 8)?.min(MAX_TRANSITIONS));
    let mem = viewer.process.mem;
    let when = |i: u64| mem.read_u64(table.checked_add(i * TRANSITION_SIZE)?).ok().map(u64::cast_signed);
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if when(middle)? <= unix { low = middle + 1 } else { high = middle }
    }
    let Some(last) = low.checked_sub(1) else {
        // Before the first transition: the first zone that is not daylight saving time.
        let standard = |i: &u64| {
            let at = zones.wrapping_add(i * ZONE_SIZE + ZONE_IS_DST);
            mem.read_u8(at).is_ok_and(|dst| dst == 0)
        };
        let first = (0..zone_count).find(standard).unwrap_or(0);
        return zone(zones.wrapping_add(first * ZONE_SIZE));
    };
    let index = u64::from(mem.read_u8(table.checked_add(last * TRANSITION_SIZE + 8)?).ok()?);
    (index < zone_count).then(|| zone(zones.wrapping_add(index * ZONE_SIZE)))?
}

fn rfc3339(unix: i64, offset: i64) -> String {
    let local = unix + offset;
    let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let zone = if offset == 0 {
        "Z".into()
    } else {
        let minutes = offset.abs() / 60;
        format!("{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    };
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}{zone}", year.abs(), second % 60)
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar, years of 400 counted from March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_706_933_106, 0), "2024-02-03T04:05:06Z");
        assert_eq!(rfc3339(1_709_164_800, 3600), "2024-02-29T01:00:00+01:00");
        assert_eq!(rfc3339(-super::YEAR_ONE_TO_UNIX, 0), "0001-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400, -12_600), "2000-02-28T20:30:00-03:30");
    }
}
