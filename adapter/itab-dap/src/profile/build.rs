//! A profile out of what this program counted itself (traces).

use std::collections::HashMap;

use super::proto::{self, Function, Label, Mapping, Profile, Strings, ValueType};

/// One line of a location: function, file, line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// A place in a stack: an address with the functions inlined there, innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) address: u64,
    pub(crate) lines: Vec<Line>,
}

/// One sample: stack from the leaf outwards, values, labels.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) stack: Vec<Location>,
    pub(crate) values: Vec<i64>,
    pub(crate) labels: Vec<(&'static str, String)>,
}

/// What a profile says of the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    /// (type, unit) of each value.
    pub(crate) types: Vec<(&'static str, &'static str)>,
    pub(crate) program: String,
    pub(crate) duration_nanos: i64,
    pub(crate) time_nanos: i64,
}

/// Numbers of what is written so far.
struct Builder {
    out: Profile,
    strings: Strings,
    locations: HashMap<Location, u64>,
    functions: HashMap<(String, String), u64>,
}

/// The profile of these samples.
pub(crate) fn profile(header: &Header, samples: Vec<Sample>) -> Profile {
    let mut out = Profile {
        time_nanos: header.time_nanos,
        duration_nanos: header.duration_nanos,
        period: 1,
        ..Profile::default()
    };
    let strings = Strings::of(&mut out.string_table);
    let mut b = Builder { out, strings, locations: HashMap::new(), functions: HashMap::new() };
    for (ty, unit) in &header.types {
        let t = ValueType { ty: b.string(ty), unit: b.string(unit) };
        b.out.sample_type.push(t);
    }
    b.out.period_type = b.out.sample_type.first().copied();
    // Functions, files, lines and inlined frames are all in the file: nothing is left to symbolise.
    let filename = b.string(&header.program);
    b.out.mapping.push(Mapping {
        id: 1,
        memory_limit: u64::MAX >> 1,
        filename,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
        ..Mapping::default()
    });
    for s in samples {
        let location_id = s.stack.into_iter().map(|l| b.location(l)).collect();
        let label = s
            .labels
            .iter()
            .map(|(k, v)| Label { key: b.string(k), str: b.string(v), ..Label::default() })
            .collect();
        b.out.sample.push(proto::Sample { location_id, value: s.values, label });
    }
    b.out
}

impl Builder {
    fn string(&mut self, text: &str) -> i64 {
        self.strings.number(&mut self.out.string_table, text)
    }

    fn location(&mut self, l: Location) -> u64 {
        if let Some(id) = self.locations.get(&l) {
            return *id;
        }
        let id = self.locations.len() as u64 + 1;
        let line =
            |n: &Line| proto::Line { function_id: self.function(n), line: i64::from(n.line), column: 0 };
        let line = l.lines.iter().map(line).collect();
        self.out.location.push(proto::Location {
            id,
            mapping_id: 1,
            address: l.address,
            line,
            is_folded: false,
        });
        self.locations.insert(l, id);
        id
    }

    fn function(&mut self, line: &Line) -> u64 {
        let key = (line.function.clone(), line.file.clone());
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let id = self.functions.len() as u64 + 1;
        let (name, filename) = (self.string(&line.function), self.string(&line.file));
        self.out.function.push(Function { id, name, system_name: name, filename, start_line: 0 });
        self.functions.insert(key, id);
        id
    }
}
