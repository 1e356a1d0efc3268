//! Type parameters by name (`T`) in a frame of generic code: the name's position comes from the source of the declaration (debug
//! information has no names of type parameters), the real type from the frame's dictionary.

use expr::{Token, TokenKind};
use golang::Frame;
use image::TypeId;

use super::names::Names;

impl Names<'_> {
    /// The type argument that a type parameter of the frame's function stands for.
    pub(crate) fn type_parameter(&self, name: &str) -> Option<TypeId> {
        let frame = self.frame?;
        let position = self.parameter_names(frame)?.iter().position(|n| n == name)?;
        self.type_arguments(frame)?.get(position).copied()
    }

    /// Type parameters of the frame's function with the types that they stand for; None: the dictionary is lost. Empty for code that is
    /// not generic.
    pub fn type_parameters(&self) -> Vec<(String, Option<TypeId>)> {
        let Some(frame) = self.frame.filter(|f| f.symbol.contains('[')) else { return Vec::new() };
        let arguments = self.type_arguments(frame).unwrap_or_default();
        match self.parameter_names(frame) {
            Some(names) => {
                names.into_iter().enumerate().map(|(i, n)| (n, arguments.get(i).copied())).collect()
            }
            // Without the source they have no names.
            None => {
                let named = |(i, t)| (format!("type argument {i}"), Some(t));
                arguments.into_iter().enumerate().map(named).collect()
            }
        }
    }

    /// Names of the type parameters, the receiver's first, as the declaration writes them.
    fn parameter_names(&self, frame: &Frame) -> Option<Vec<String>> {
        let functions = self.process.image.functions();
        // A closure is declared somewhere inside: the parameters are those of the function around it.
        let outer = outer_symbol(&frame.symbol);
        let (file, line) = match functions.by_name(outer).first() {
            Some(f) => (f.file(), f.start_line()),
            None => {
                let f = functions.inline_stack(frame.lookup_pc).into_iter().nth(frame.inline_depth)?;
                (f.file, f.start_line)
            }
        };
        let source = self.source?.source(&file)?;
        let from = source.lines().skip((line as usize).checked_sub(1)?);
        // A declaration longer than this is not a declaration.
        let text: Vec<&str> = from.take(40).collect();
        declared(&text.join("\n"))
    }

    /// The type arguments, by the name of the frame's dictionary: `main..dict.Map[main.Point,string]`. (Its words are in the order in
    /// which the code needs them.)
    fn type_arguments(&self, frame: &Frame) -> Option<Vec<TypeId>> {
        let (image, process) = (self.process.image, self.process);
        let (symbol, 0) = image.symbol_at(frame.dict?)? else { return None };
        let named = |name: &str| {
            process.basic(name).or_else(|| image.find_type(name)).or_else(|| process.linked_type(name))
        };
        arguments(&image::names::unescape(&symbol)).iter().map(|name| named(name)).collect()
    }
}

/// `main.Map[go.shape.int].func1.2` -> `main.Map[go.shape.int]`.
fn outer_symbol(symbol: &str) -> &str {
    let after = symbol.rfind(']').map_or(0, |i| i + 1);
    let tail = symbol.get(after..).unwrap_or("");
    let end = [".func", ".gowrap", ".deferwrap", "-range", "-fm"].iter().filter_map(|s| tail.find(s)).min();
    end.and_then(|i| symbol.get(..after + i)).unwrap_or(symbol)
}

/// What stands in all brackets of a dictionary's symbol, cut at the commas that are not inside of something.
fn arguments(symbol: &str) -> Vec<String> {
    let (mut depth, mut quoted) = (0usize, false);
    let mut out: Vec<String> = Vec::new();
    for c in symbol.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '(' | '{' if !quoted => {
                depth += 1;
                if depth == 1 {
                    out.push(String::new());
                    continue;
                }
            }
            ']' | ')' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 1 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth > 0
            && let Some(last) = out.last_mut()
        {
            last.push(c);
        }
    }
    out
}

/// `func (s *Stack[T]) Map[K comparable, V any](...)` -> T, K, V.
fn declared(text: &str) -> Option<Vec<String>> {
    let mut tokens =
        expr::tokens(text).skip_while(|t| t.kind != TokenKind::Keyword("func")).skip(1).peekable();
    let mut names = Vec::new();
    if tokens.peek()?.kind == TokenKind::Mark("(") {
        let receiver = group(&mut tokens, "(", ")")?;
        let list = receiver.iter().skip_while(|t| t.kind != TokenKind::Mark("["));
        names.extend(list.filter_map(name_of));
    }
    tokens.next().as_ref().and_then(name_of)?;
    if tokens.peek()?.kind == TokenKind::Mark("[") {
        let list = group(&mut tokens, "[", "]")?;
        // A name stands first, and after a comma that is not inside of a constraint.
        let mut depth = 0usize;
        let mut fresh = true;
        for t in &list {
            match &t.kind {
                TokenKind::Name(n) if fresh => names.push(n.clone()),
                TokenKind::Mark("[" | "(" | "{") => depth += 1,
                TokenKind::Mark("]" | ")" | "}") => depth = depth.saturating_sub(1),
                _ => {}
            }
            fresh = depth == 0 && t.kind == TokenKind::Mark(",");
        }
    }
    Some(names)
}

/// The tokens inside of a balanced pair that begins here.
fn group(
    tokens: &mut impl Iterator<Item = Token>,
    open: &'static str,
    close: &'static str,
) -> Option<Vec<Token>> {
    let mut depth = 0usize;
    let mut out = Vec::new();
    for t in tokens {
        match t.kind {
            TokenKind::Mark(m) if m == open => depth += 1,
            TokenKind::Mark(m) if m == close => depth = depth.checked_sub(1)?,
            TokenKind::End => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(out.split_off(1));
        }
        out.push(t);
    }
    None
}

fn name_of(t: &Token) -> Option<String> {
    match &t.kind {
        TokenKind::Name(n) => Some(n.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_type_parameters_from_declarations() {
        for (text, names) in [
            ("func Map[T, U any](s []T, f func(T) U) []U {", "T U"),
            ("func (s *Stack[T]) Push(x T) {", "T"),
            ("func (p Pair[K, V]) Swap() Pair[V, K] {", "K V"),
            ("func Sum[N interface{ ~int | ~float64 }, M map[string]N](m M) N {", "N M"),
            ("func (l L[T]) Conv[U any](f func(T) U) U {", "T U"),
            ("func plain(x int) {", ""),
            ("// Doc.\nfunc F[\n\tT any,\n](x T) {", "T"),
        ] {
            assert_eq!(declared(text).unwrap().join(" "), names, "{text}");
        }
        assert_eq!(declared("no declaration"), None);
        assert_eq!(declared("func (s *Stack[T"), None);
    }

    #[test]
    fn arguments_of_dictionaries() {
        for (symbol, expected) in [
            ("main..dict.Map[main.Point,string]", "main.Point|string"),
            ("main..dict.Stack[struct { X int; Y [2]int }]", "struct { X int; Y [2]int }"),
            ("main..dict.L[string].Conv[map[string]int]", "string|map[string]int"),
            (
                "main..dict.F[func(int, bool) string,main.G[int,int]]",
                "func(int, bool) string|main.G[int,int]",
            ),
            ("main.plain", ""),
        ] {
            assert_eq!(arguments(symbol).join("|"), expected, "{symbol}");
        }
        assert_eq!(outer_symbol("main.F[go.shape.int].func1.2"), "main.F[go.shape.int]");
        assert_eq!(outer_symbol("main.(*S[go.shape.int]).Push"), "main.(*S[go.shape.int]).Push");
    }
}
