//! Stop replies: `T05swbreak:;thread:p1.2;`, `S05`, `W00;process:1`, `X09;process:1`, `N`.

/// `pPID.TID` of multiprocess servers; a bare TID has no pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadId {
    pub pid: Option<i32>,
    pub tid: i32,
}

impl ThreadId {
    pub fn parse(text: &str) -> Option<ThreadId> {
        let number = |t: &str| i32::from_str_radix(t, 16).ok();
        match text.strip_prefix('p') {
            Some(rest) => {
                let (p, t) = rest.split_once('.')?;
                Some(ThreadId { pid: Some(number(p)?), tid: number(t)? })
            }
            None => Some(ThreadId { pid: None, tid: number(text)? }),
        }
    }
}

/// Why the program stopped, as the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReply {
    Stopped {
        /// GDB's number.
        signal: u8,
        thread: Option<ThreadId>,
        /// The pc, when the server sends it along (register 16 of amd64).
        pc: Option<u64>,
        /// `swbreak`: one of our int3 (or a hard-coded one); pc is already on it.
        breakpoint: bool,
        fork: Option<ThreadId>,
        vfork: Option<ThreadId>,
        vfork_done: bool,
        exec: Option<String>,
    },
    Exited {
        code: i32,
        process: Option<i32>,
    },
    Signalled {
        signal: u8,
        process: Option<i32>,
    },
    /// `N`: no thread is left that was resumed.
    NoResumed,
}

/// Parses a stop reply; `None` for any other packet.
pub fn parse_stop(packet: &[u8]) -> Option<StopReply> {
    let text = std::str::from_utf8(packet).ok()?;
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "T" | "S" => {
            let signal = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
            Some(stopped(signal, rest.get(2..).unwrap_or_default()))
        }
        "W" | "X" => {
            let (code, tail) = rest.split_once(';').unwrap_or((rest, ""));
            let number = u8::from_str_radix(code, 16).ok()?;
            let process = tail.strip_prefix("process:").and_then(|p| i32::from_str_radix(p, 16).ok());
            Some(if kind == "W" {
                StopReply::Exited { code: i32::from(number), process }
            } else {
                StopReply::Signalled { signal: number, process }
            })
        }
        "N" if rest.is_empty() => Some(StopReply::NoResumed),
        _ => None,
    }
}

fn stopped(signal: u8, pairs: &str) -> StopReply {
    let mut thread = None;
    let mut breakpoint = false;
    let mut pc = None;
    let (mut fork, mut vfork, mut vfork_done, mut exec) = (None, None, false, None);
    for (key, value) in pairs.split(';').filter_map(|p| p.split_once(':')) {
        match key {
            "thread" => thread = ThreadId::parse(value),
            "swbreak" => breakpoint = true,
            "10" => {
                pc = crate::unhex(value.as_bytes()).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
            }
            "fork" => fork = ThreadId::parse(value),
            "vfork" => vfork = ThreadId::parse(value),
            "vforkdone" => vfork_done = true,
            "exec" => {
                exec = crate::unhex(value.as_bytes()).map(|b| String::from_utf8_lossy(&b).into_owned());
            }
            _ => {}
        }
    }
    StopReply::Stopped { signal, thread, pc, breakpoint, fork, vfork, vfork_done, exec }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpoint_stop() {
        let r = parse_stop(b"T05swbreak:;06:00;thread:p1a.1b;core:1;").unwrap();
        let StopReply::Stopped { signal: 5, thread: Some(t), breakpoint: true, .. } = r else {
            panic!("{r:?}")
        };
        assert_eq!((t.pid, t.tid), (Some(0x1a), 0x1b));
    }

    #[test]
    fn ends_and_nonsense() {
        assert_eq!(
            parse_stop(b"W25;process:4647"),
            Some(StopReply::Exited { code: 0x25, process: Some(0x4647) })
        );
        assert_eq!(parse_stop(b"X09"), Some(StopReply::Signalled { signal: 9, process: None }));
        assert_eq!(parse_stop(b"OK"), None);
        assert_eq!(parse_stop(b"T"), None);
        assert_eq!(parse_stop("Té".as_bytes()), None);
    }
}
