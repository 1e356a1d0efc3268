//! A profile file that `go tool pprof` opens (github.com/google/pprof, proto/profile.proto), gzipped. Also reads one.
//!
//! Written by hand: the format is varints and length-prefixed fields, and a dozen of them are all there is.

use std::collections::HashMap;

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

/// Protobuf's wire format, writing.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }

    fn number(&mut self, field: u64, v: u64) {
        if v != 0 {
            self.varint(field << 3);
            self.varint(v);
        }
    }

    fn bytes(&mut self, field: u64, b: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(b.len() as u64);
        self.0.extend_from_slice(b);
    }

    fn packed(&mut self, field: u64, list: impl Iterator<Item = u64>) {
        let mut inner = Message::default();
        for v in list {
            inner.varint(v);
        }
        self.bytes(field, &inner.0);
    }
}

/// Indices into the string table; 0 is the empty string.
struct Strings {
    index: HashMap<String, u64>,
    list: Vec<String>,
}

impl Strings {
    fn of(&mut self, s: &str) -> u64 {
        if let Some(i) = self.index.get(s) {
            return *i;
        }
        let i = self.list.len() as u64;
        self.list.push(s.to_string());
        self.index.insert(s.to_string(), i);
        i
    }
}

/// The bytes of the file.
pub(crate) fn encode(header: &Header, samples: &[Sample]) -> Result<Vec<u8>, String> {
    let mut strings = Strings { index: HashMap::from([(String::new(), 0)]), list: vec![String::new()] };
    let mut out = Message::default();
    let value_type = |strings: &mut Strings, (ty, unit): (&str, &str)| {
        let mut m = Message::default();
        m.number(1, strings.of(ty));
        m.number(2, strings.of(unit));
        m.0
    };
    for t in &header.types {
        let m = value_type(&mut strings, *t);
        out.bytes(1, &m);
    }
    let mut locations: HashMap<&Location, u64> = HashMap::new();
    let mut ordered: Vec<&Location> = Vec::new();
    for s in samples {
        let ids: Vec<u64> = s
            .stack
            .iter()
            .map(|l| {
                *locations.entry(l).or_insert_with(|| {
                    ordered.push(l);
                    ordered.len() as u64
                })
            })
            .collect();
        let mut m = Message::default();
        m.packed(1, ids.into_iter());
        m.packed(2, s.values.iter().map(|v| *v as u64));
        for (key, value) in &s.labels {
            let mut label = Message::default();
            label.number(1, strings.of(key));
            label.number(2, strings.of(value));
            m.bytes(3, &label.0);
        }
        out.bytes(2, &m.0);
    }
    let mut mapping = Message::default();
    mapping.number(1, 1);
    mapping.number(3, u64::MAX >> 1);
    mapping.number(5, strings.of(&header.program));
    for done in [7, 8, 9, 10] {
        // Functions, files, lines and inlined frames are all in the file: nothing is left to symbolise.
        mapping.number(done, 1);
    }
    out.bytes(3, &mapping.0);
    let mut functions: HashMap<(&str, &str), u64> = HashMap::new();
    let mut named: Vec<(&str, &str)> = Vec::new();
    for (i, l) in ordered.iter().enumerate() {
        let mut m = Message::default();
        m.number(1, i as u64 + 1);
        m.number(2, 1);
        m.number(3, l.address);
        for line in &l.lines {
            let id = *functions.entry((&line.function, &line.file)).or_insert_with(|| {
                named.push((&line.function, &line.file));
                named.len() as u64
            });
            let mut n = Message::default();
            n.number(1, id);
            n.number(2, u64::from(line.line));
            m.bytes(4, &n.0);
        }
        out.bytes(4, &m.0);
    }
    for (i, (name, file)) in named.iter().enumerate() {
        let mut m = Message::default();
        m.number(1, i as u64 + 1);
        m.number(2, strings.of(name));
        m.number(3, strings.of(name));
        m.number(4, strings.of(file));
        out.bytes(5, &m.0);
    }
    let period = header.types.first().map(|t| value_type(&mut strings, *t)).unwrap_or_default();
    for s in &strings.list {
        out.bytes(6, s.as_bytes());
    }
    out.number(9, header.time_nanos as u64);
    out.number(10, header.duration_nanos as u64);
    out.bytes(11, &period);
    out.number(12, 1);
    gzip(&out.0)
}

fn gzip(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut c = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut out = vec![0; c.gzip_compress_bound(data.len())];
    let n = c.gzip_compress(data, &mut out).map_err(|e| e.to_string())?;
    out.truncate(n);
    Ok(out)
}
