//! Profile files (github.com/google/pprof, proto/profile.proto), gzipped or not: the one place that reads and writes them.
//!
//! A file is taken from anywhere: it is unpacked and decoded within limits, and every number that refers to something else in it is
//! checked before anybody follows it.

use std::{io::Read as _, path::Path};

use prost::Message;
use rustc_hash::FxHashMap;

/// Unpacked and packed size. The profile of an hour on many cores has a tenth of it.
const MAX_BYTES: usize = 64 << 20;
/// Go and C stacks together; a deeper one is a lie.
const MAX_DEPTH: usize = 4096;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Profile {
    #[prost(message, repeated, tag = "1")]
    pub(crate) sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) function: Vec<Function>,
    /// Strings by their number; 0 is the empty one. Bytes: programs write labels that are no UTF-8.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(crate) string_table: Vec<Vec<u8>>,
    #[prost(int64, tag = "7")]
    pub(crate) drop_frames: i64,
    #[prost(int64, tag = "8")]
    pub(crate) keep_frames: i64,
    #[prost(int64, tag = "9")]
    pub(crate) time_nanos: i64,
    #[prost(int64, tag = "10")]
    pub(crate) duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    pub(crate) period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    pub(crate) period: i64,
    #[prost(int64, repeated, tag = "13")]
    pub(crate) comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    pub(crate) default_sample_type: i64,
    #[prost(int64, tag = "15")]
    pub(crate) doc_url: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct ValueType {
    #[prost(int64, tag = "1")]
    pub(crate) ty: i64,
    #[prost(int64, tag = "2")]
    pub(crate) unit: i64,
}

/// From the leaf outwards.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(crate) value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(int64, tag = "1")]
    pub(crate) key: i64,
    #[prost(int64, tag = "2")]
    pub(crate) str: i64,
    #[prost(int64, tag = "3")]
    pub(crate) num: i64,
    #[prost(int64, tag = "4")]
    pub(crate) num_unit: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) memory_start: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) memory_limit: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) file_offset: u64,
    #[prost(int64, tag = "5")]
    pub(crate) filename: i64,
    #[prost(int64, tag = "6")]
    pub(crate) build_id: i64,
    #[prost(bool, tag = "7")]
    pub(crate) has_functions: bool,
    #[prost(bool, tag = "8")]
    pub(crate) has_filenames: bool,
    #[prost(bool, tag = "9")]
    pub(crate) has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    pub(crate) has_inline_frames: bool,
}

/// An address with the functions inlined there, innermost first.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Location {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) mapping_id: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) address: u64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) line: Vec<Line>,
    #[prost(bool, tag = "5")]
    pub(crate) is_folded: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Line {
    #[prost(uint64, tag = "1")]
    pub(crate) function_id: u64,
    #[prost(int64, tag = "2")]
    pub(crate) line: i64,
    #[prost(int64, tag = "3")]
    pub(crate) column: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Function {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(int64, tag = "2")]
    pub(crate) name: i64,
    #[prost(int64, tag = "3")]
    pub(crate) system_name: i64,
    #[prost(int64, tag = "4")]
    pub(crate) filename: i64,
    #[prost(int64, tag = "5")]
    pub(crate) start_line: i64,
}

impl Profile {
    /// The text of a number in the string table.
    pub(crate) fn text(&self, index: i64) -> String {
        let bytes = usize::try_from(index).ok().and_then(|i| self.string_table.get(i));
        bytes.map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default()
    }

    /// Reads and checks a file.
    pub(crate) fn open(path: &Path) -> Result<Profile, String> {
        let whole = |e: std::io::Error| format!("{}: {e}", path.display());
        // Asked before the open: opening a FIFO would wait for its writer.
        if !std::fs::metadata(path).map_err(whole)?.is_file() {
            return Err(format!("{}: not a regular file", path.display()));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(whole)?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(whole)?;
        Profile::parse(&bytes).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Decodes what a file contains.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Profile, String> {
        if bytes.is_empty() {
            return Err(
                "the file is empty; the program writes a profile when pprof.StopCPUProfile runs".into()
            );
        }
        if bytes.len() > MAX_BYTES {
            return Err(too_large());
        }
        let unpacked = match bytes {
            [0x1f, 0x8b, ..] => Some(gunzip(bytes)?),
            _ => None,
        };
        let profile = Profile::decode(unpacked.as_deref().unwrap_or(bytes))
            .map_err(|e| format!("not a pprof profile, or a damaged one ({e})"))?;
        profile.check()?;
        Ok(profile)
    }

    /// The bytes of a file.
    pub(crate) fn pack(&self) -> Result<Vec<u8>, String> {
        let data = self.encode_to_vec();
        let mut c = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut out = vec![0; c.gzip_compress_bound(data.len())];
        let n = c.gzip_compress(&data, &mut out).map_err(|e| e.to_string())?;
        out.truncate(n);
        Ok(out)
    }

    /// Everything that a number refers to is there.
    fn check(&self) -> Result<(), String> {
        if self.sample_type.is_empty() {
            return Err("not a pprof profile: it has no sample types".into());
        }
        let bad = |what: String| Err(format!("damaged profile: {what}"));
        let ids = |what: &str, ids: &mut dyn Iterator<Item = u64>| {
            let mut seen = FxHashMap::default();
            for id in ids {
                // Half of the numbers stay free for what is added.
                if id == 0 || id > u64::MAX >> 1 || seen.insert(id, ()).is_some() {
                    return Err(format!("damaged profile: {id} is no number of a {what}, or that of two"));
                }
            }
            Ok(seen)
        };
        ids("mapping", &mut self.mapping.iter().map(|m| m.id))?;
        let functions = ids("function", &mut self.function.iter().map(|f| f.id))?;
        let locations = ids("location", &mut self.location.iter().map(|l| l.id))?;
        for l in &self.location {
            if let Some(line) = l.line.iter().find(|n| !functions.contains_key(&n.function_id)) {
                return bad(format!(
                    "location {} names function {}, which is not there",
                    l.id, line.function_id
                ));
            }
        }
        for (i, s) in self.sample.iter().enumerate() {
            if s.value.len() != self.sample_type.len() {
                let (has, wants) = (s.value.len(), self.sample_type.len());
                return bad(format!("sample {i} has {has} values, the profile {wants} types"));
            }
            if s.location_id.len() > MAX_DEPTH {
                return bad(format!("sample {i} has {} frames", s.location_id.len()));
            }
            if let Some(id) = s.location_id.iter().find(|id| !locations.contains_key(id)) {
                return bad(format!("sample {i} names location {id}, which is not there"));
            }
        }
        Ok(())
    }
}

fn too_large() -> String {
    format!("larger than {} MiB: no CPU profile of a Go program", MAX_BYTES >> 20)
}

/// Unpacks a gzip file of one member, at most [`MAX_BYTES`].
fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let tail = bytes.len().checked_sub(4).and_then(|at| bytes.get(at..)).and_then(|b| b.try_into().ok());
    // What the file says of its size is a hint: it may lie.
    let said = tail.map_or(0, u32::from_le_bytes);
    let mut room = usize::try_from(said).unwrap_or(0).clamp(4096, MAX_BYTES);
    let mut unpack = libdeflater::Decompressor::new();
    loop {
        let mut out = vec![0; room];
        match unpack.gzip_decompress(bytes, &mut out) {
            Ok(n) if n as u64 & 0xffff_ffff != u64::from(said) => {
                return Err("something follows the end of the gzip data".into());
            }
            Ok(n) => {
                out.truncate(n);
                return Ok(out);
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) if room < MAX_BYTES => {
                room = room.saturating_mul(4).min(MAX_BYTES);
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) => return Err(too_large()),
            Err(libdeflater::DecompressionError::BadData) => {
                return Err("truncated or damaged gzip data (was the profile written to its end?)".into());
            }
        }
    }
}

/// Adds strings to a table, each once.
pub(crate) struct Strings(FxHashMap<Vec<u8>, i64>);

impl Strings {
    pub(crate) fn of(table: &mut Vec<Vec<u8>>) -> Strings {
        if table.is_empty() {
            table.push(Vec::new());
        }
        Strings(table.iter().cloned().zip(0..).collect())
    }

    pub(crate) fn number(&mut self, table: &mut Vec<Vec<u8>>, text: &str) -> i64 {
        *self.0.entry(text.as_bytes().to_vec()).or_insert_with_key(|key| {
            table.push(key.clone());
            i64::try_from(table.len() - 1).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Profile {
        Profile {
            sample_type: vec![ValueType { ty: 1, unit: 2 }],
            sample: vec![Sample { location_id: vec![1], value: vec![3], label: Vec::new() }],
            location: vec![Location {
                id: 1,
                line: vec![Line { function_id: 1, line: 7, column: 0 }],
                ..Location::default()
            }],
            function: vec![Function { id: 1, name: 3, ..Function::default() }],
            string_table: ["", "cpu", "nanoseconds", "main.f"]
                .iter()
                .map(|s| s.as_bytes().to_vec())
                .collect(),
            ..Profile::default()
        }
    }

    fn refusal(bytes: &[u8]) -> String {
        Profile::parse(bytes).expect_err("refused")
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut c = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut out = vec![0; c.gzip_compress_bound(data.len())];
        let n = c.gzip_compress(data, &mut out).unwrap();
        out.truncate(n);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let p = sound();
        assert_eq!(Profile::parse(&p.pack().unwrap()).unwrap(), p);
        assert_eq!(Profile::parse(&p.encode_to_vec()).unwrap(), p);
    }

    #[test]
    fn every_truncation_is_refused_or_sound() {
        let whole = sound().encode_to_vec();
        for n in 0..whole.len() {
            let _ = Profile::parse(&whole[..n]);
        }
        let packed = sound().pack().unwrap();
        for n in 0..packed.len() {
            refusal(&packed[..n]);
        }
    }

    #[test]
    fn every_flipped_byte_is_harmless() {
        let whole = sound().encode_to_vec();
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = whole.clone();
                bad[at] = value;
                let _ = Profile::parse(&bad);
            }
        }
    }

    #[test]
    fn lying_lengths_and_varints() {
        // A sample as long as 2^63, a varint without an end, a group, a packed list cut short.
        for bytes in [
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x13, 0x13, 0x13],
            &[0x12, 0x03, 0x0a, 0x02, 0xff],
        ] {
            assert!(refusal(bytes).contains("not a pprof profile"), "{bytes:?}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut bomb = gzip(&vec![0; MAX_BYTES + 1]);
        assert!(refusal(&bomb).contains("larger than 64 MiB"));
        // The size at the end is a lie.
        let n = bomb.len();
        bomb[n - 4..].copy_from_slice(&10u32.to_le_bytes());
        refusal(&bomb);
    }

    #[test]
    fn two_members_are_not_half_read() {
        let mut two = sound().pack().unwrap();
        two.extend(sound().pack().unwrap().into_iter().chain([1, 2, 3]));
        assert!(refusal(&two).contains("follows"));
    }

    #[test]
    fn dangling_numbers() {
        let with = |change: &dyn Fn(&mut Profile)| {
            let mut p = sound();
            change(&mut p);
            refusal(&p.encode_to_vec())
        };
        assert!(with(&|p| p.sample[0].location_id.push(9)).contains("location 9"));
        assert!(with(&|p| p.location[0].line[0].function_id = 9).contains("function 9"));
        assert!(with(&|p| p.sample[0].value.push(1)).contains("2 values"));
        assert!(with(&|p| p.location.push(p.location[0].clone())).contains("that of two"));
        assert!(with(&|p| p.sample[0].location_id = vec![1; 5000]).contains("5000 frames"));
        assert!(refusal(&[]).contains("empty"));
        assert!(refusal(b"hello").contains("not a pprof profile"));
    }
}
