//! The table of layouts against the DWARF of programs that each version of Go built.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod common;

use common::build;
use gofixture::{Mode, matrix};
use image::Image;

#[test]
fn the_table_says_what_dwarf_says() {
    for t in matrix() {
        let image = Image::open(&build("kinds", t, Mode::Debug)).unwrap();
        let (mut same, mut wrong) = (0, Vec::new());
        for (strukt, field, table, dwarf) in image.layout().compare_with_dwarf() {
            // A structure that the program does not describe can't be compared.
            if image.find_type(strukt).is_none() {
                continue;
            }
            if table == dwarf { same += 1 } else { wrong.push((strukt, field, table, dwarf)) }
        }
        assert!(wrong.is_empty(), "{}: {wrong:?}", t.version);
        assert!(same > 150, "{} {same}", t.version);
        for strukt in ["runtime.g", "runtime.m", "runtime.hchan", "runtime._defer", "runtime.moduledata"] {
            let ty = image.type_of(image.find_type(strukt).unwrap(), &image).unwrap();
            assert_eq!(image.layout().size(strukt), Some(ty.size), "{} {strukt}", t.version);
        }
    }
}

#[test]
fn stripped_programs_have_a_layout() {
    for t in matrix() {
        let full = Image::open(&build("kinds", t, Mode::Debug)).unwrap();
        let stripped = Image::open(&build("kinds", t, Mode::Stripped)).unwrap();
        for (s, f) in [
            ("runtime.g", "goid"),
            ("runtime.g", "sched.pc"),
            ("runtime.m", "curg"),
            ("runtime.hchan", "recvq.first"),
        ] {
            let offset = stripped.layout().offset(s, f);
            assert!(offset.is_some() && offset == full.layout().offset(s, f), "{} {s}.{f}", t.version);
        }
        assert_eq!(stripped.layout().offset("runtime.g", "nothing"), None);
        let wrapper = stripped.functions().iter().filter(|f| f.is_wrapper()).count();
        assert!(wrapper > 20, "{} {wrapper}", t.version);
    }
}
