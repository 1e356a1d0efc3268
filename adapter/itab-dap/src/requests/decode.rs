//! `itab/decode`, `itab/pointee`, and their console twins `iface`, `eface`, `where`: raw addresses and words, checked and explained.

use eval::{Decoded, Evaluated, Raw};
use golang::Whereabouts;
use wire::{Responder, itab};

use super::breakpoints::parse_address;
use crate::{
    error::Refused,
    session::{Detail, Session},
};

impl Session {
    pub(crate) fn on_itab_decode(&mut self, a: itab::DecodeArguments, r: Responder<itab::Decode>) {
        let body = self.decode_request(&a).map(|d| itab::DecodeResponse {
            pointee: Some(present_pointee(&d.pointee)),
            variable: self.present_item(None, d.item),
        });
        r.answer(body.map_err(Into::into));
    }

    fn decode_request(&mut self, a: &itab::DecodeArguments) -> Result<Decoded, Refused> {
        match (&a.address, &a.words) {
            (None, Some([tab, data])) => {
                let (tab, data) = (address(tab)?, address(data)?);
                self.look(None, None, Detail::Single, |look| eval::decode_words(&look.view, tab, data))?
                    .map_err(Refused::Dispatch)
            }
            (Some(at), None) => self.decode(address(at)?, raw(a.as_field.as_ref())?),
            _ => Err(Refused::Dispatch("give either an address or two words".into())),
        }
    }

    pub(crate) fn decode(&mut self, addr: u64, raw: Raw) -> Result<Decoded, Refused> {
        self.look(None, None, Detail::Single, |look| eval::decode(&look.view, addr, raw))?
            .map_err(Refused::Dispatch)
    }

    pub(crate) fn on_itab_pointee(&mut self, a: itab::PointeeArguments, r: Responder<itab::Pointee>) {
        let place = match (&a.address, &a.expression) {
            (Some(at), None) => address(at).and_then(|at| self.where_is(&format!("{at:#x}"), a.frame_id)),
            (None, Some(text)) => self.where_is(text, a.frame_id),
            _ => Err(Refused::Dispatch("give either an address or an expression".into())),
        };
        let place = place.and_then(|found| found.map_err(Refused::Dispatch));
        r.answer(place.map(|p| present_pointee(&p)).map_err(Into::into));
    }

    /// What an expression's value points to, or what an address belongs to. The inner error: it has no address.
    pub(crate) fn where_is(
        &mut self,
        text: &str,
        frame: Option<i64>,
    ) -> Result<Result<Whereabouts, String>, Refused> {
        let handle = self.frame(frame)?;
        let text = format!("where({text})");
        let found =
            self.look(Some(&handle), None, Detail::Single, |look| eval::evaluate(&text, &look.scope))?;
        match found {
            Ok(Evaluated::Place(place)) => Ok(Ok((*place).clone())),
            Ok(Evaluated::Text(why)) => Ok(Err(why)),
            Ok(_) => Ok(Err("this has no address".into())),
            Err(e) => Err(Refused::Evaluate(e.to_string())),
        }
    }
}

fn address(text: &str) -> Result<u64, Refused> {
    parse_address(text)
        .ok_or_else(|| Refused::Dispatch(format!("{text:?} is not an address (0x... or a decimal number)")))
}

fn raw(how: Option<&itab::DecodeAs>) -> Result<Raw, Refused> {
    Ok(match how {
        None | Some(itab::DecodeAs::Auto) => Raw::Auto,
        Some(itab::DecodeAs::Iface) => Raw::Iface,
        Some(itab::DecodeAs::Eface) => Raw::Eface,
        Some(itab::DecodeAs::Itab) => Raw::Itab,
        Some(itab::DecodeAs::Type) => Raw::Type,
        Some(itab::DecodeAs::Func) => Raw::Func,
        Some(itab::DecodeAs::Other(other)) => {
            return Err(Refused::Dispatch(format!(
                "as: {other:?} is none of iface, eface, itab, type, func, auto"
            )));
        }
    })
}

fn present_pointee(w: &Whereabouts) -> itab::PointeeResponse {
    let number = |n: u64| i64::try_from(n).ok();
    itab::PointeeResponse {
        region: w.region.as_str().into(),
        text: w.text.clone(),
        symbol: w.symbol.as_ref().map(|(name, offset)| match offset {
            0 => name.clone(),
            n => format!("{name}+{n:#x}"),
        }),
        goroutine: w.stack.as_ref().and_then(|s| number(s.goid?)),
        frame: w.stack.as_ref().and_then(|s| i64::try_from(s.frame?).ok()),
        variable: w.stack.as_ref().and_then(|s| s.variable.as_ref()).map(|(name, _)| name.clone()),
        object: w.object.map(|a| format!("{a:#x}")),
        size: w.size,
        size_class: w.size_class.map(u64::from),
        free: w.free,
    }
}
