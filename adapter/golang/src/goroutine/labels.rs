//! pprof labels of a goroutine: a list since Go 1.24 (internal/runtime/pprof/label), a `map[string]string` before.

use machine::MemoryExt;

use crate::Process;

/// More labels or longer strings than this is garbage.
const MAX_LABELS: u64 = 256;
const MAX_STRING: u64 = 4096;
/// Old maps (runtime/map.go): B below this, so that at most 2^B buckets are read.
const MAX_B: u8 = 8;
/// bmap of `map[string]string`: 8 tophash bytes, 8 keys, 8 elems, overflow pointer.
const BUCKET: u64 = 8 + 8 * 16 + 8 * 16 + 8;
/// Smallest tophash of a live slot (runtime/map.go: minTopHash).
const MIN_TOP_HASH: u8 = 5;

type Labels = Vec<(String, String)>;

impl Process<'_> {
    /// Labels behind `g.labels`, sorted by key; none if they can't be read.
    pub(crate) fn labels_of(&self, at: u64) -> Labels {
        if at == 0 {
            return Labels::new();
        }
        let found = if self.facts().labels_are_map { self.label_map(at) } else { self.label_list(at) };
        let mut labels = found.unwrap_or_default();
        labels.sort();
        labels
    }

    fn label_list(&self, at: u64) -> Option<Labels> {
        let (ptr, len) = (self.mem.read_u64(at).ok()?, self.mem.read_u64(at.checked_add(8)?).ok()?);
        if len > MAX_LABELS {
            return None;
        }
        let entry = |i: u64| {
            let at = ptr.checked_add(i * 32)?;
            Some((self.short_string(at)?, self.short_string(at.checked_add(16)?)?))
        };
        (0..len).map(entry).collect()
    }

    fn label_map(&self, at: u64) -> Option<Labels> {
        let layout = self.image.layout();
        // labelMap is a map: the word at `at` is the pointer to its header.
        let header = self.mem.read_u64(at).ok()?;
        let field = |name: &str| header.checked_add(layout.offset("runtime.hmap", name)?);
        let b = self.mem.read_u8(field("B")?).ok()?;
        if b > MAX_B {
            return None;
        }
        let buckets = self.mem.read_u64(field("buckets")?).ok()?;
        let mut labels = Labels::new();
        for i in 0..1u64 << b {
            self.label_buckets(buckets.checked_add(i * BUCKET)?, &mut labels)?;
        }
        let old = self.mem.read_u64(field("oldbuckets")?).ok()?;
        if old != 0 && b > 0 {
            for i in 0..1u64 << (b - 1) {
                self.label_buckets(old.checked_add(i * BUCKET)?, &mut labels)?;
            }
        }
        Some(labels)
    }

    /// A bucket and its overflow buckets.
    fn label_buckets(&self, first: u64, labels: &mut Labels) -> Option<()> {
        let mut bucket = first;
        for _ in 0..MAX_LABELS {
            if bucket == 0 {
                break;
            }
            for slot in 0..8u64 {
                if self.mem.read_u8(bucket.checked_add(slot)?).ok()? >= MIN_TOP_HASH {
                    let key = bucket.checked_add(8 + slot * 16)?;
                    labels.push((self.short_string(key)?, self.short_string(key.checked_add(8 * 16)?)?));
                }
            }
            bucket = self.mem.read_u64(bucket.checked_add(BUCKET - 8)?).ok()?;
        }
        Some(())
    }

    /// The Go string at `at`; None if it is too long or no UTF-8.
    pub(crate) fn short_string(&self, at: u64) -> Option<String> {
        let (ptr, len) = (self.mem.read_u64(at).ok()?, self.mem.read_u64(at.checked_add(8)?).ok()?);
        if len == 0 {
            return Some(String::new());
        }
        let bytes =
            self.mem.read_vec(ptr, usize::try_from(len.min(MAX_STRING + 1)).ok()?, MAX_STRING as usize);
        String::from_utf8(bytes.ok()?).ok()
    }
}
