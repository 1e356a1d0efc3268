//! Console commands on raw addresses: `iface`, `eface`, `itab 0x...`, `where`; and `-exec`.

use eval::{Decoded, Page, Raw};
use wire::types as t;

use super::Answer;
use crate::{
    requests::breakpoints::parse_address,
    session::{Detail, Session},
};

impl Session {
    /// The value, what is behind it, and what its data word points to.
    pub(super) fn decode_command(&mut self, rest: &str, raw: Raw) -> Answer {
        let name = match raw {
            Raw::Iface => "iface",
            Raw::Eface => "eface",
            _ => "itab",
        };
        let Some(addr) = parse_address(rest) else {
            return Answer::Error(format!("write {name} 0xADDRESS"));
        };
        let text = self.decode(addr, raw).and_then(|found| {
            self.look(None, None, Detail::Single, |look| decoded_text(&look.view, &found, raw))
        });
        match text {
            Ok(text) => Answer::Text(text),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    pub(super) fn where_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        if rest.is_empty() {
            return Answer::Error("write where EXPR or where 0xADDRESS".into());
        }
        match self.where_is(rest, a.frame_id) {
            Ok(Ok(place)) => Answer::Text(match place.addr {
                0 => place.text,
                addr => format!("{addr:#x}: {}", place.text),
            }),
            Ok(Err(why)) => Answer::Text(why),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    /// Only back ends that are debuggers with a command line of their own have such commands.
    pub(super) fn native_command(&self, _rest: &str) -> Answer {
        let back_end = match self.inferior.as_ref() {
            Some(inf) => inf.description(),
            None => return Answer::Error("-exec: there is no program".into()),
        };
        Answer::Error(format!(
            "-exec: the back end {back_end} has no command line of its own; it will work with GDB as the back end, which is not supported yet"
        ))
    }
}

fn decoded_text(view: &eval::View<'_>, found: &Decoded, raw: Raw) -> String {
    let mut lines = vec![found.item.text.clone()];
    let behind = match raw {
        Raw::Itab => Some(found.item.clone()),
        _ => eval::interface_view(view, &found.item.value),
    };
    if let Some(behind) = behind {
        if raw != Raw::Itab {
            lines.push(format!("{}: {}", behind.name, behind.text));
        }
        let rows = eval::children(view, &behind, Page::default()).items;
        lines.extend(rows.iter().map(|r| format!("{}: {}", r.name, r.text)));
    }
    if raw != Raw::Itab {
        lines.push(format!("data: {:#x} {}", found.pointee.addr, found.pointee.text));
    }
    lines.join("\n")
}
