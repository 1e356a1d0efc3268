//! `disassemble`, `locations`.

use ::dispatch::Instruction;
use wire::{Responder, requests as rq, types as t};

use crate::{
    control::inferior::Inferior, error::Refused, requests::breakpoints::parse_address, session::Session,
};

/// Instructions in one answer, at most.
const MAX_INSTRUCTIONS: i64 = 20_000;

impl Session {
    pub(crate) fn on_disassemble(&mut self, a: t::DisassembleArguments, r: Responder<rq::Disassemble>) {
        r.answer(self.disassemble(&a).map_err(Into::into));
    }

    /// Calls of the frame's line whose target is known at this stop say it.
    pub(crate) fn note_targets(&mut self, listing: &mut [Instruction], frame: Option<i64>) {
        let Ok(calls) = self.line_calls(frame, ::dispatch::Scope::Line) else { return };
        for c in &calls {
            let known = c.site.state == ::dispatch::State::Known
                && c.site.certainty == ::dispatch::Certainty::Certain
                && c.site.kind != ::dispatch::CallKind::Static;
            let (Some(pc), Some(target), true) = (c.site.call_pc, &c.site.target, known) else { continue };
            let Some(i) = listing.iter_mut().find(|i| i.addr == pc) else { continue };
            let what = i.note.take().unwrap_or_else(|| "call".into());
            let what = what.split(" -> ").next().unwrap_or(&what);
            i.note = Some(format!("{what} -> {}", target.name));
        }
    }

    fn disassemble(&mut self, a: &t::DisassembleArguments) -> Result<t::DisassembleResponse, Refused> {
        let base = parse_address(&a.memory_reference)
            .ok_or_else(|| Refused::Disassemble(format!("{:?} is not an address", a.memory_reference)))?;
        let at = base.wrapping_add_signed(a.offset.unwrap_or(0));
        let skip = a.instruction_offset.unwrap_or(0).clamp(-MAX_INSTRUCTIONS, MAX_INSTRUCTIONS);
        let count = a.instruction_count.clamp(0, MAX_INSTRUCTIONS);
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let mut listing = around(inf, at, skip, count as usize)?;
        self.note_targets(&mut listing, None);
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let mut last: Option<(String, u32)> = None;
        let instructions = listing
            .into_iter()
            .map(|i| {
                let place = inf.image.functions().location(i.addr).map(|l| (l.file.to_string(), l.line));
                let fresh = place.is_some() && place != last;
                let location = place.as_ref().filter(|_| fresh).and_then(|(f, _)| self.source_of(f));
                let line = place.as_ref().filter(|_| fresh).map(|(_, n)| i64::from(*n));
                if place.is_some() {
                    last = place;
                }
                t::DisassembledInstruction {
                    address: format!("{:#x}", i.addr),
                    instruction: match &i.note {
                        Some(n) => format!("{} ; {n}", i.text),
                        None => i.text,
                    },
                    presentation_hint: i.bytes.is_empty().then(|| "invalid".into()),
                    instruction_bytes: (!i.bytes.is_empty()).then(|| hex(&i.bytes)),
                    location,
                    line,
                    ..Default::default()
                }
            })
            .collect();
        Ok(t::DisassembleResponse { instructions })
    }

    pub(crate) fn on_locations(&mut self, a: t::LocationsArguments, r: Responder<rq::Locations>) {
        let found = self.locations.get(a.location_reference).cloned();
        let body = found
            .and_then(|(file, line)| Some((self.source_of(&file)?, line)))
            .map(|(source, line)| t::LocationsResponse {
                source,
                line: i64::from(line.max(1)),
                ..Default::default()
            })
            .ok_or(Refused::Stale("location", a.location_reference));
        r.answer(body.map_err(Into::into));
    }
}

/// `count` instructions from the one `skip` places after the one at `at`, across neighbouring functions; what is outside of
/// code is filled with invalid entries, so that the list has the length asked for.
fn around(inf: &Inferior, at: u64, skip: i64, count: usize) -> Result<Vec<Instruction>, Refused> {
    // Editors scroll to both ends of memory.
    if at == 0 || at == u64::MAX {
        return Ok(vec![invalid(at); count]);
    }
    let functions = inf.image.functions();
    let f = functions
        .at(at)
        .ok_or_else(|| Refused::Disassemble(format!("{at:#x} is not in the program's Go code")))?;
    let mut all = decode(inf, f.entry(), f.end());
    let mut index = all.iter().position(|i| i.addr == at).ok_or_else(|| {
        Refused::Disassemble(format!("{at:#x} is not the beginning of an instruction of {}", f.name()))
    })? as i64;
    let mut first = f.entry();
    while index + skip < 0 {
        let Some(before) = first.checked_sub(1).and_then(|a| functions.at(a)).filter(|g| g.entry() < first)
        else {
            break;
        };
        let mut head = decode(inf, before.entry(), first);
        index += head.len() as i64;
        first = before.entry();
        head.append(&mut all);
        all = head;
    }
    let mut last = f.end();
    while index + skip + count as i64 > all.len() as i64 {
        let Some(after) = functions.at(last).filter(|g| g.end() > last) else { break };
        all.extend(decode(inf, last, after.end()));
        last = after.end();
    }
    let begin = index + skip;
    let missing = usize::try_from(-begin).unwrap_or(0).min(count);
    let padding = (0..missing).map(|i| invalid(first.wrapping_sub((missing - i) as u64)));
    let mut out: Vec<Instruction> = padding.collect();
    out.extend(all.into_iter().skip(usize::try_from(begin).unwrap_or(0)).take(count - missing));
    let mut end = last;
    while out.len() < count {
        out.push(invalid(end));
        end = end.wrapping_add(1);
    }
    Ok(out)
}

fn decode(inf: &Inferior, from: u64, to: u64) -> Vec<Instruction> {
    inf.engine.disassemble(&inf.image, &**inf.memory(), from..to)
}

fn invalid(addr: u64) -> Instruction {
    Instruction { addr, text: "invalid instruction".into(), ..Instruction::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
