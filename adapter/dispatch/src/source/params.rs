//! Type parameters as a declaration writes them: which one a variable's type is. Debug information has no names for them.

use super::tokens::{Kind, Token, Tokens};

/// Tokens of a declaration that are looked at.
const MAX_TOKENS: usize = 400;

/// The type parameter that is the declared type of the parameter `variable` of the function declared at `line`.
pub(crate) fn of_parameter(text: &str, line: u32, variable: &str) -> Option<String> {
    let at = text.split_inclusive('\n').take((line as usize).checked_sub(1)?).map(str::len).sum::<usize>();
    let all: Vec<Token<'_>> = Tokens::new(text.get(at..)?).take(MAX_TOKENS).collect();
    let body = all.iter().position(|t| t.text == "{").unwrap_or(all.len());
    let tokens = all.get(..body)?;
    let declared = names(tokens);
    let word = |i: usize| tokens.get(i).filter(|t| t.kind == Kind::Ident).map(|t| t.text);
    let mark = |i: usize| tokens.get(i).map(|t| t.text);
    for i in 0..tokens.len() {
        if word(i) != Some(variable) || !matches!(i.checked_sub(1).and_then(mark), Some("(" | ",")) {
            continue;
        }
        // `a, b T`: the type follows the last name.
        let mut k = i + 1;
        while mark(k) == Some(",") && word(k + 1).is_some() {
            k += 2;
        }
        let ty = word(k)?;
        return (declared.contains(&ty) && matches!(mark(k + 1), Some("," | ")"))).then(|| ty.to_string());
    }
    None
}

/// Names in the first level of all brackets that follow a name: `func (r *Repo[T]) Map[U any](...)` has T and U.
fn names<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut out = Vec::new();
    let (mut depth, mut fresh, mut inside) = (0usize, false, false);
    for pair in tokens.windows(2) {
        let [before, t] = pair else { continue };
        match t.text {
            "[" => {
                depth += 1;
                inside |= depth == 1 && before.kind == Kind::Ident;
                fresh = inside && depth == 1;
                continue;
            }
            "]" => {
                depth = depth.saturating_sub(1);
                inside &= depth > 0;
            }
            "," if depth == 1 && inside => {
                fresh = true;
                continue;
            }
            text if fresh && t.kind == Kind::Ident => out.push(text),
            _ => {}
        }
        fresh = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_parameter_of_a_variable() {
        for (text, variable, expected) in [
            ("func key[T Keyed](v T) string {", "v", Some("T")),
            ("func pair[K comparable, V any](a, b K, c V) {", "b", Some("K")),
            ("func pair[K comparable, V any](a, b K, c V) {", "c", Some("V")),
            ("func (r *Repo[T]) Save(v T) int {", "v", Some("T")),
            ("func list[T any](v []T) {", "v", None),
            ("func plain(v int) {", "v", None),
            ("func lost[T any](", "v", None),
            ("", "v", None),
        ] {
            assert_eq!(of_parameter(text, 1, variable).as_deref(), expected, "{text}");
        }
        assert_eq!(of_parameter("\nfunc f[T any](x T) {", 2, "x").as_deref(), Some("T"));
        assert_eq!(of_parameter("func f[T any](x T) {", 9, "x"), None);
    }
}
