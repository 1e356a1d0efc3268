//! gdbserver speaks GDB's own signal numbers (include/gdb/signals.def), not Linux's. Mixing them up is silent: SIGURG is 16 there.

/// Linux number, GDB number.
const TABLE: &[(i32, u8)] = &[
    (1, 1),
    (2, 2),
    (3, 3),
    (4, 4),
    (5, 5),
    (6, 6),
    (7, 10),
    (8, 8),
    (9, 9),
    (10, 30),
    (11, 11),
    (12, 31),
    (13, 13),
    (14, 14),
    (15, 15),
    (17, 20),
    (18, 19),
    (19, 17),
    (20, 18),
    (21, 21),
    (22, 22),
    (23, 16),
    (24, 24),
    (25, 25),
    (26, 26),
    (27, 27),
    (28, 28),
    (29, 23),
    (30, 32),
    (31, 12),
    (32, 77),
    (64, 78),
];

/// GDB's number of a Linux signal; 0 for one that GDB does not know.
pub fn to_gdb(linux: i32) -> u8 {
    if (33..=63).contains(&linux) {
        return (linux + 12) as u8;
    }
    TABLE.iter().find(|(l, _)| *l == linux).map_or(0, |(_, g)| *g)
}

/// Linux's number of a GDB signal.
pub fn from_gdb(gdb: u8) -> i32 {
    if (45..=75).contains(&gdb) {
        return i32::from(gdb) - 12;
    }
    TABLE.iter().find(|(_, g)| *g == gdb).map_or(0, |(l, _)| *l)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linux_signal_goes_there_and_back() {
        for n in (1..=64).filter(|n| *n != 16) {
            assert_eq!(from_gdb(to_gdb(n)), n, "signal {n}");
        }
        assert_eq!(to_gdb(23), 16, "SIGURG");
        assert_eq!(to_gdb(27), 27, "SIGPROF");
    }
}
