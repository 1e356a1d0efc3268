//! The readers of Go's structures that expressions use, in the words of this crate.

use golang::{Frame, Interface, Value};
use image::{ScopeVariable, TypeId};

use super::cx::Cx;

impl Cx<'_> {
    pub(crate) fn interface(&self, v: &Value) -> Interface {
        golang::interface(self.process, v)
    }

    /// Part of a value, with what is known of its bytes and where they came from.
    pub(crate) fn cut(&self, v: &Value, offset: u64, ty: TypeId) -> Result<Value, String> {
        golang::part(self.process, v, offset, ty)
    }

    pub(crate) fn variable(&self, frame: &Frame, variable: &ScopeVariable) -> Value {
        golang::read_variable(self.process, frame, variable)
    }

    pub(crate) fn map_entries(
        &self,
        v: &Value,
        skip: usize,
        count: usize,
    ) -> Result<Vec<(Value, Value)>, String> {
        golang::map_entries(self.process, v, skip, count)
    }

    pub(crate) fn map_len(&self, v: &Value) -> Result<u64, String> {
        Ok(golang::map_len(self.process, v)?.unwrap_or(0))
    }

    /// `len` and `cap` of a channel; both 0 for nil.
    pub(crate) fn chan_len_cap(&self, v: &Value) -> Result<(u64, u64), String> {
        Ok(golang::channel(self.process, v)?.map_or((0, 0), |c| (c.len, c.cap)))
    }
}
