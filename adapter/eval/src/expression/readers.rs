//! The readers of Go's structures that expressions use, on top of `golang`: variables of a frame, what is inside an interface, maps.

use golang::{Frame, Interface, Place, Value};
use image::{PieceHome, ScopeVariable, TypeId, VarContext};

use super::cx::Cx;

impl Cx<'_> {
    pub(crate) fn interface(&self, v: &Value) -> Interface {
        Interface::Bad(format!("{:?} is not readable yet", v.ty))
    }

    /// Part of a value that lies in bytes, with what is known of them and where they came from.
    pub(crate) fn cut(&self, v: &Value, offset: u64, ty: TypeId) -> Result<Value, String> {
        let size = self.ty(ty)?.size;
        let incomplete = || "the value is incomplete".to_string();
        let Place::Bytes { bytes, known, homes } = &v.place else { return Err(incomplete()) };
        let (from, to) = (offset as usize, offset.saturating_add(size) as usize);
        let bytes = bytes.get(from..to).ok_or_else(incomplete)?.into();
        let known = known.as_ref().and_then(|k| k.get(from..to)).map(Into::into);
        let homes = homes.as_ref().and_then(|h| cut_pieces(h, offset, size)).map(Into::into);
        Ok(Value { ty, place: Place::Bytes { bytes, known, homes } })
    }

    pub(crate) fn variable(&self, frame: &Frame, variable: &ScopeVariable) -> Value {
        let cx = VarContext { pc: frame.lookup_pc, regs: &frame.regs, cfa: frame.cfa, mem: self.process.mem };
        let ty = self.process.real_type(variable.ty, frame.dict).unwrap_or(variable.ty);
        let place = match self.process.image.locate(variable, &cx) {
            Ok(pieces) => match pieces.as_slice() {
                [one] => match one.home {
                    PieceHome::Memory(addr) => Place::Memory(addr),
                    _ => Place::Unavailable("in registers".into()),
                },
                _ => Place::Unavailable("in pieces".into()),
            },
            Err(why) => Place::Unavailable(why.into()),
        };
        Value { ty, place }
    }

    pub(crate) fn map_entries(
        &self,
        _v: &Value,
        _skip: usize,
        _count: usize,
    ) -> Result<Vec<(Value, Value)>, String> {
        Err("maps are not readable yet".into())
    }

    pub(crate) fn map_len(&self, _v: &Value) -> Result<u64, String> {
        Err("maps are not readable yet".into())
    }

    pub(crate) fn chan_len_cap(&self, _v: &Value) -> Result<(u64, u64), String> {
        Err("channels are not readable yet".into())
    }
}

/// The homes of bytes `offset .. offset + size`; None where a register would have to be split.
fn cut_pieces(homes: &[image::Piece], offset: u64, size: u64) -> Option<Vec<image::Piece>> {
    let mut out = Vec::new();
    let mut at = 0u64;
    let end = offset.checked_add(size)?;
    for piece in homes {
        let next = at.checked_add(piece.size)?;
        if next > offset && at < end {
            let whole = at >= offset && next <= end;
            match &piece.home {
                _ if whole => out.push(piece.clone()),
                PieceHome::Memory(addr) => {
                    let skip = offset.saturating_sub(at);
                    let size = next.min(end).checked_sub(at.max(offset))?;
                    out.push(image::Piece { size, home: PieceHome::Memory(addr.wrapping_add(skip)) });
                }
                _ => return None,
            }
        }
        at = next;
    }
    Some(out)
}
