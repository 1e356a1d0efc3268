//! Which goroutines are listed and what their names carry: `goroutineFilters` and `showPprofLabels`, in Delve's spelling.
//!
//! Only decides; what a goroutine looks like is asked of the caller.

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The place of the top frame.
    Current,
    /// The topmost place outside the runtime.
    User,
    /// The `go` statement.
    Go,
    /// The goroutine's first function.
    Start,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// The place, written `file:line in function`, contains the text.
    Place(Field, String),
    /// Has this pprof label, with this value if one is given.
    Label(String, Option<String>),
    /// Is on a thread.
    Running,
    /// Is not the runtime's own.
    User,
}

/// One condition of `goroutineFilters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    what: What,
    negated: bool,
}

/// What is known of a goroutine.
pub(crate) trait Facts {
    fn place(&self, field: Field) -> String;
    fn labels(&self) -> &[(String, String)];
    fn running(&self) -> bool;
    fn user(&self) -> bool;
}

/// Flags of Delve's `goroutines` command that say how a list is printed: they change nothing here.
const PRINTING: &[&str] = &["-u", "-r", "-g", "-s", "-l", "-t"];

/// Reads `-with userloc main.main -without label k=v`.
pub(crate) fn parse(text: &str) -> Result<Vec<Filter>, String> {
    let mut words = text.split_whitespace();
    let mut filters = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-w" | "-with" | "-wo" | "-without" => {
                let what = what(&mut words).ok_or_else(|| format!("wrong argument: '{word}'"))?;
                filters.push(Filter { what, negated: matches!(word, "-wo" | "-without") });
            }
            "-chan" | "-group" | "-exec" => {
                return Err(format!("goroutineFilters can't do {word}; use -with and -without"));
            }
            flag if PRINTING.contains(&flag) => {}
            other => return Err(format!("wrong argument: '{other}'")),
        }
    }
    Ok(filters)
}

fn what<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<What> {
    let place = |field, words: &mut dyn Iterator<Item = &'a str>| {
        words.next().map(|text| What::Place(field, text.to_string()))
    };
    match words.next()? {
        "curloc" => place(Field::Current, words),
        "userloc" => place(Field::User, words),
        "goloc" => place(Field::Go, words),
        "startloc" => place(Field::Start, words),
        "label" => {
            let text = words.next()?;
            Some(match text.split_once('=') {
                Some((key, value)) => What::Label(key.into(), Some(value.into())),
                None => What::Label(text.into(), None),
            })
        }
        "running" => Some(What::Running),
        "user" => Some(What::User),
        _ => None,
    }
}

/// True if every filter lets the goroutine pass.
pub(crate) fn passes(filters: &[Filter], g: &impl Facts) -> bool {
    filters.iter().all(|f| {
        let holds = match &f.what {
            What::Place(field, text) => g.place(*field).contains(text.as_str()),
            What::Label(key, value) => {
                g.labels().iter().any(|(k, v)| k == key && value.as_ref().is_none_or(|want| v == want))
            }
            What::Running => g.running(),
            What::User => g.user(),
        };
        holds != f.negated
    })
}

/// What stands behind a goroutine's number: one wanted label is its value alone, several are `key:value`, `*` is all of them.
pub(crate) fn label_text(wanted: &[String], labels: &[(String, String)]) -> String {
    let pair = |(key, value): &(String, String)| format!(" {key}:{value}");
    let has = |(_, value): &&(String, String)| !value.is_empty();
    let find = |key: &String| labels.iter().find(|(k, _)| k == key).filter(has);
    match wanted {
        [one] if one == "*" => labels.iter().filter(has).map(pair).collect(),
        [one] => find(one).map(|(_, value)| format!(" {value}")).unwrap_or_default(),
        several => several.iter().filter_map(find).map(pair).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct G(&'static str, Vec<(String, String)>, bool);

    impl Facts for G {
        fn place(&self, field: Field) -> String {
            if field == Field::User { self.0.into() } else { "proc.go:1 in runtime.gopark".into() }
        }
        fn labels(&self) -> &[(String, String)] {
            &self.1
        }
        fn running(&self) -> bool {
            false
        }
        fn user(&self) -> bool {
            self.2
        }
    }

    fn labels() -> Vec<(String, String)> {
        vec![("a".into(), "1".into()), ("b".into(), "2".into()), ("empty".into(), String::new())]
    }

    #[test]
    fn filters_are_conditions_that_all_must_hold() {
        let worker = G("main.go:7 in main.worker", labels(), true);
        let yes = |text: &str| passes(&parse(text).unwrap(), &worker);
        assert!(yes("") && yes("-with user") && yes("-w userloc main.worker") && yes("-l -with label a=1"));
        assert!(yes("-with curloc gopark -without running") && yes("-with label b"));
        assert!(!yes("-without user") && !yes("-with userloc main.main") && !yes("-with label a=2"));
        assert!(!yes("-with user -with running"));
    }

    #[test]
    fn what_is_no_filter_is_named() {
        assert_eq!(parse("some words"), Err("wrong argument: 'some'".into()));
        assert_eq!(parse("-with"), Err("wrong argument: '-with'".into()));
        assert_eq!(parse("-with userloc"), Err("wrong argument: '-with'".into()));
        assert!(parse("-chan c").is_err());
    }

    #[test]
    fn labels_in_names() {
        let text = |wanted: &[&str]| {
            label_text(&wanted.iter().map(|w| (*w).to_string()).collect::<Vec<_>>(), &labels())
        };
        assert_eq!(text(&[]), "");
        assert_eq!(text(&["b"]), " 2");
        assert_eq!(text(&["b", "nosuch", "a"]), " b:2 a:1");
        assert_eq!(text(&["*"]), " a:1 b:2");
        assert_eq!(text(&["empty"]), "");
    }
}
