//! Names of constants: `KC (2)`, and flags put together: `FA|FC (5)`.

use image::{Type, TypeId};

use crate::viewer::Viewer;

/// The constant of this type with this value, or the flags that make it up.
pub(super) fn name_of(viewer: &Viewer<'_>, id: TypeId, ty: &Type, n: i128) -> Option<String> {
    let all = viewer.process.constants_of(id);
    if all.is_empty() {
        return None;
    }
    let package = image::names::package_of(&ty.name);
    describe(&all, n).map(|names| {
        let short = |name: &&str| own(name, &package).to_string();
        names.iter().map(short).collect::<Vec<_>>().join("|")
    })
}

fn own<'a>(name: &'a str, package: &str) -> &'a str {
    match name.strip_prefix(package).and_then(|n| n.strip_prefix('.')) {
        Some(own) => own,
        None => name.rsplit_once('/').map_or(name, |(_, n)| n),
    }
}

/// One name, or several of which each has one bit; `all` is sorted by value.
fn describe(all: &[(String, i128)], n: i128) -> Option<Vec<&str>> {
    if let Some((name, _)) = all.iter().find(|(_, v)| *v == n) {
        return Some(vec![name]);
    }
    let mut rest = n;
    let mut names = Vec::new();
    for (name, value) in all {
        if *value > 0 && value.count_ones() == 1 && rest & value != 0 {
            names.push(name.as_str());
            rest &= !value;
        }
    }
    (n != 0 && rest == 0).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_put_together_from_single_bits() {
        let all: Vec<(String, i128)> = [("main.FA", 1), ("main.FB", 2), ("main.FC", 4), ("main.All", 7)]
            .map(|(n, v)| (n.to_string(), v))
            .to_vec();
        assert_eq!(describe(&all, 5), Some(vec!["main.FA", "main.FC"]));
        assert_eq!(describe(&all, 7), Some(vec!["main.All"]));
        assert_eq!(describe(&all, 8), None);
        assert_eq!(describe(&all, 0), None);
        assert_eq!(own("main.FA", "main"), "FA");
        assert_eq!(own("a/b.X", "main"), "b.X");
    }
}
