//! The binary that a profile was taken of: found, compared with what the profile says of it, placed at the profile's addresses.
//!
//! Addresses of another build mean nothing, so a build that differs is refused, not guessed at.

use std::path::{Path, PathBuf};

use image::Image;
use rustc_hash::FxHashMap;

use super::proto::{Function, Location, Mapping, Profile};

/// Functions by which two builds are told apart must agree but for these: of a hundred.
const TOLERATED: usize = 5;

/// A binary at the addresses of a profile.
pub(super) struct Program {
    pub(super) image: Image,
    /// By what it is known that it is the profile's.
    pub(super) agreement: String,
}

impl Program {
    /// `path`: what the user named; else the one that the profile names.
    pub(super) fn of(profile: &Profile, path: Option<&Path>) -> Result<Program, String> {
        let path = path.map_or_else(|| named(profile), |p| Ok(p.to_path_buf()))?;
        let image = Image::open(&path).map_err(|e| e.to_string())?;
        let ids = [image.gnu_build_id(), image.go_build_id()];
        let mapping = mapping_of(profile, &path, &ids);
        let said = mapping.map(|m| profile.text(m.build_id)).filter(|id| !id.is_empty());
        let same = said.as_ref().map(|id| ids.iter().flatten().any(|own| own == id));
        if let (Some(said), Some(false), Some(own)) = (&said, same, ids.iter().flatten().next()) {
            return Err(format!(
                "the profile is of another build: it says build ID {said}, {} has {own}; its addresses mean nothing there",
                path.display()
            ));
        }
        place(&image, mapping)?;
        let agreement = agreement(profile, &image, same == Some(true))?;
        Ok(Program { image, agreement })
    }
}

/// The program's own mapping comes first, says the format.
fn named(profile: &Profile) -> Result<PathBuf, String> {
    let name = profile.mapping.first().map(|m| profile.text(m.filename)).unwrap_or_default();
    if name.is_empty() {
        return Err("the profile doesn't name its program; give it (--binary)".into());
    }
    let path = PathBuf::from(&name);
    if !path.is_file() {
        return Err(format!("the profile's program {name} is not there; say where it is (--binary)"));
    }
    Ok(path)
}

fn mapping_of<'a>(profile: &'a Profile, path: &Path, ids: &[Option<String>]) -> Option<&'a Mapping> {
    let by_id = |m: &&Mapping| {
        let id = profile.text(m.build_id);
        !id.is_empty() && ids.iter().flatten().any(|own| *own == id)
    };
    let by_name = |m: &&Mapping| {
        let name = profile.text(m.filename);
        Path::new(&name).file_name().is_some_and(|n| Some(n) == path.file_name())
    };
    let list = &profile.mapping;
    list.iter().find(by_id).or_else(|| list.iter().find(by_name)).or_else(|| list.first())
}

fn place(image: &Image, mapping: Option<&Mapping>) -> Result<(), String> {
    if !image.is_pie() {
        return Ok(());
    }
    let bias = mapping
        .filter(|m| m.memory_limit > m.memory_start)
        .and_then(|m| image.bias_of_mapping(m.memory_start, m.file_offset))
        .ok_or("the program is position-independent, and the profile doesn't say where it was loaded")?;
    image.set_bias(bias);
    Ok(())
}

/// Compares the functions that the profile names with those that the binary has at their addresses.
fn agreement(profile: &Profile, image: &Image, same_id: bool) -> Result<String, String> {
    let functions: FxHashMap<u64, &Function> = profile.function.iter().map(|f| (f.id, f)).collect();
    let (mut agree, mut differ, mut first) = (0usize, 0usize, None);
    for l in &profile.location {
        let Some(said) = physical(profile, &functions, l) else { continue };
        let here = image.functions().inline_stack(l.address);
        if here.is_empty() {
            continue;
        }
        if here.iter().any(|f| plain(&image::names::unescape(&f.name)) == said) {
            agree += 1;
        } else {
            differ += 1;
            first.get_or_insert_with(|| {
                (l.address, said, here.last().map(|f| f.name.clone()).unwrap_or_default())
            });
        }
    }
    if same_id {
        return Ok("build ID matches".into());
    }
    if differ * 100 > (agree + differ) * TOLERATED {
        let (at, said, has) = first.unwrap_or_default();
        return Err(format!(
            "the profile is of another build: at {at:#x} it says {said}, {} has {has}",
            image.path().display()
        ));
    }
    Ok(match agree {
        0 => "warning: the profile has neither a build ID nor names of this program's functions: it may be of another build".into(),
        _ => format!("no build ID; {agree} of {} named places agree", agree + differ),
    })
}

/// Name of the function that an address is in, as the profile has it, without type arguments.
fn physical(profile: &Profile, functions: &FxHashMap<u64, &Function>, l: &Location) -> Option<String> {
    let name = profile.text(functions.get(&l.line.last()?.function_id)?.name);
    (!name.is_empty()).then(|| plain(&name))
}

/// Without what is in brackets: the runtime writes `[...]`, the linker shapes.
fn plain(name: &str) -> String {
    let mut depth = 0usize;
    name.chars()
        .filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn type_arguments_are_left_out() {
        assert_eq!(plain("main.(*Repo[...]).Save"), plain("main.(*Repo[go.shape.[]int]).Save"));
        assert_eq!(plain("main.F[go.shape.int].func1"), "main.F.func1");
        assert_eq!(plain("]]x["), "x");
    }
}
