//! Which build a file is, and where a mapping of it puts its addresses. Must never trust a note's lengths.

use crate::Image;
use crate::elf::le_u32;

/// Notes longer than this are none of a linker's.
const MAX_NOTES: u64 = 64 << 10;
const PAGE: u64 = 4096;
/// NT_GNU_BUILD_ID, and the linker's own tag of the Go build ID.
const GNU: (&[u8], u32) = (b"GNU\0", 3);
const GO: (&[u8], u32) = (b"Go\0\0", 4);

impl Image {
    /// GNU build ID as hexadecimal digits, as `file` and pprof print it.
    pub fn gnu_build_id(&self) -> Option<String> {
        let id = self.note(".note.gnu.build-id", GNU)?;
        Some(id.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Go build ID, as `go tool buildid` prints it.
    pub fn go_build_id(&self) -> Option<String> {
        let id = self.note(".note.go.buildid", GO)?;
        String::from_utf8(id.to_vec()).ok().filter(|id| !id.is_empty())
    }

    fn note(&self, section: &str, (owner, kind): (&[u8], u32)) -> Option<&[u8]> {
        let st = &self.core.st;
        let s = st.elf.section(section).filter(|s| !s.is_zero())?;
        find(st.file.bytes(s.offset, s.size.min(MAX_NOTES))?, owner, kind)
    }

    /// The load bias of a process in which `file_offset` of this file is mapped at `start`; None if nothing executable is there.
    pub fn bias_of_mapping(&self, start: u64, file_offset: u64) -> Option<u64> {
        let elf = &self.core.st.elf;
        if !elf.is_pie {
            return Some(0);
        }
        let covers = |s: &&crate::elf::Segment| {
            s.executable
                && (s.offset & !(PAGE - 1)..s.offset.saturating_add(s.file_size)).contains(&file_offset)
        };
        let s = elf.segments.iter().find(covers)?;
        let link = s.addr.wrapping_sub(s.offset).wrapping_add(file_offset);
        start.checked_sub(link).filter(|bias| bias % PAGE == 0)
    }
}

/// Elf64_Nhdr: length of the owner, of the content, type; both padded to 4 bytes.
fn find<'a>(mut notes: &'a [u8], owner: &[u8], kind: u32) -> Option<&'a [u8]> {
    loop {
        let padded = |at: usize| usize::try_from(le_u32(notes, at)?).ok()?.checked_next_multiple_of(4);
        let (name, content) = (padded(0)?, padded(4)?);
        let body = 12usize.checked_add(name)?;
        if le_u32(notes, 8)? == kind && notes.get(12..body)? == owner {
            return notes.get(body..body.checked_add(le_u32(notes, 4)? as usize)?);
        }
        notes = notes.get(body.checked_add(content)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for n in [owner.len() as u32, content.len() as u32, kind] {
            out.extend(n.to_le_bytes());
        }
        out.extend(owner);
        out.extend(content);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn the_wanted_note_is_found_behind_others() {
        let mut all = note(b"GNU\0", 1, b"x");
        all.extend(note(b"GNU\0", 3, &[1, 2, 3]));
        assert_eq!(find(&all, b"GNU\0", 3), Some(&[1, 2, 3][..]));
        assert_eq!(find(&all, b"Go\0\0", 4), None);
    }

    #[test]
    fn lying_lengths_end_the_search() {
        assert_eq!(find(&[0xff; 64], b"GNU\0", 3), None);
        assert_eq!(find(&[0; 64], b"GNU\0", 3), None);
        let cut = note(b"GNU\0", 3, &[7; 20]);
        assert_eq!(find(&cut[..20], b"GNU\0", 3), None);
    }
}
