//! Package-level variables and named constants. Read from the unit of their package only.

use gimli::constants as dw;

use super::units::Unit;
use super::{Dwarf, Entry, Value, die};
use crate::names;
use crate::types::TypeId;

impl Dwarf {
    /// The units of a package: its own, and one for each assembly file.
    fn units_of<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a Unit> {
        self.units.iter().filter(move |u| u.is_go && u.name == package)
    }

    /// Import paths, sorted.
    pub(crate) fn packages(&self) -> Vec<String> {
        let mut out: Vec<String> = self.units.iter().filter(|u| u.is_go).map(|u| u.name.clone()).collect();
        out.sort();
        out.dedup();
        out
    }

    /// Link address and type of a variable by its full name.
    pub(crate) fn global(&self, name: &str) -> Option<(u64, TypeId)> {
        let package = names::package_of(name);
        let plain = names::unescape(name);
        self.units_of(&package).find_map(|u| {
            let all = &self.unit_index(u).globals;
            let (_, at) = all.iter().find(|(n, _)| *n == name || names::unescape(n) == plain)?;
            self.global_die(*at)
        })
    }

    /// All variables of a package: full name, link address, type.
    pub(crate) fn globals_of(&self, package: &str) -> Vec<(String, u64, TypeId)> {
        let mut out = Vec::new();
        for u in self.units_of(package) {
            for (n, at) in &self.unit_index(u).globals {
                out.extend(self.global_die(*at).map(|(a, t)| (names::unescape(n), a, t)));
            }
        }
        out.sort();
        out.dedup();
        out
    }

    fn global_die(&self, at: u64) -> Option<(u64, TypeId)> {
        let (unit, e) = self.entry(at)?;
        let Some(Value::Exprloc(x)) = e.attr_value(dw::DW_AT_location) else { return None };
        let mut ops = x.operations(unit.inner.encoding());
        let addr = match ops.next().ok()?? {
            gimli::Operation::Address { address } => address,
            gimli::Operation::AddressIndex { index } => self.inner.address(&unit.inner, index).ok()?,
            _ => return None,
        };
        // A variable without storage (a C declaration) has no address.
        if addr == 0 || ops.next().ok()?.is_some() {
            return None;
        }
        Some((addr, self.type_ref(unit, &e, dw::DW_AT_type)?))
    }

    /// Constants declared in a package: full name, value, type.
    pub(crate) fn constants_of(&self, package: &str) -> Vec<(String, i128, Option<TypeId>)> {
        let mut out = Vec::new();
        for u in self.units_of(package) {
            for (n, at) in &self.unit_index(u).constants {
                let Some((unit, e)) = self.entry(*at) else { continue };
                if let Some(value) = constant_value(&e) {
                    out.push((names::unescape(n), value, self.type_ref(unit, &e, dw::DW_AT_type)));
                }
            }
        }
        out
    }

    /// A constant by its full name.
    pub(crate) fn constant(&self, name: &str) -> Option<(i128, Option<TypeId>)> {
        let plain = names::unescape(name);
        let package = names::package_of(name);
        self.units_of(&package).find_map(|u| {
            let all = &self.unit_index(u).constants;
            let (_, at) = all.iter().find(|(n, _)| *n == name || names::unescape(n) == plain)?;
            let (unit, e) = self.entry(*at)?;
            Some((constant_value(&e)?, self.type_ref(unit, &e, dw::DW_AT_type)))
        })
    }
}

fn constant_value(e: &Entry) -> Option<i128> {
    match e.attr_value(dw::DW_AT_const_value)? {
        Value::Udata(u) => Some(i128::from(u)),
        v => {
            v.sdata_value().map(i128::from).or_else(|| die::number(e, dw::DW_AT_const_value).map(i128::from))
        }
    }
}
