//! The profile once more, with the targets in it: a frame for each dynamic call between caller and callee, and labels of the innermost.
//!
//! Values, stacks and labels of the original stay as they are: all sums are the same.

use rustc_hash::FxHashMap;

use super::{
    attribute::Attribution,
    proto::{Function, Label, Line, Location, Profile, Strings},
};

/// The labelled profile.
pub(super) fn labelled(profile: &Profile, found: &Attribution) -> Profile {
    let mut out = profile.clone();
    let mut strings = Strings::of(&mut out.string_table);
    let mut string = |table: &mut Vec<Vec<u8>>, text: &str| strings.number(table, text);
    let mapping_id = out.mapping.first().map_or(0, |m| m.id);
    let functions = out.function.iter().map(|f| f.id).max().unwrap_or(0) + 1..;
    let locations = out.location.iter().map(|l| l.id).max().unwrap_or(0) + 1..;
    let mut frames: FxHashMap<usize, u64> = FxHashMap::default();
    for ((i, e), (function, location)) in found.edges.iter().enumerate().zip(functions.zip(locations)) {
        let (name, filename) =
            (string(&mut out.string_table, &e.title()), string(&mut out.string_table, &e.file));
        let line = i64::from(e.line);
        // A name that is the system's too is taken for C++ by pprof, and loses what is in parentheses.
        out.function.push(Function { id: function, name, system_name: 0, filename, start_line: line });
        let line = vec![Line { function_id: function, line, column: 0 }];
        out.location.push(Location { id: location, mapping_id, address: 0, line, is_folded: false });
        frames.insert(i, location);
    }
    for (sample, edges) in out.sample.iter_mut().zip(&found.samples) {
        let mut at = edges.iter().peekable();
        let mut stack = Vec::with_capacity(sample.location_id.len() + edges.len());
        for (i, id) in sample.location_id.iter().enumerate() {
            stack.push(*id);
            if let Some((_, edge)) = at.next_if(|e| e.0 == i) {
                stack.extend(frames.get(edge));
            }
        }
        sample.location_id = stack;
        let Some(e) = edges.first().and_then(|e| found.edges.get(e.1)) else { continue };
        let labels =
            [("dispatch", &e.title()), ("target", &e.target), ("call", &e.call), ("concrete", &e.concrete)];
        for (key, value) in labels.into_iter().filter(|l| !l.1.is_empty()) {
            let (key, str) = (string(&mut out.string_table, key), string(&mut out.string_table, value));
            sample.label.push(Label { key, str, num: 0, num_unit: 0 });
        }
    }
    out
}
