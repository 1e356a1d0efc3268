//! Which shapes come from the `dap` crate, and how names of the schema become names of Rust.
//!
//! It must never list a shape that loses a member: the conformance test in `wire` fills each and reads it back.

/// Shapes of `dap` 0.4.1-alpha1 that are lossless against the schema: name in the schema, path in the crate.
/// What contains `Source` or `Breakpoint`, or writes `null` for absent members, is generated instead, and so is
/// `CompletionItemType`, which lacks the value `customcolor`.
pub(super) const FROM_DAP: &[(&str, &str)] = &[
    ("AttachRequestArguments", "requests"),
    ("CancelArguments", "requests"),
    ("CompletionsArguments", "requests"),
    ("ContinueArguments", "requests"),
    ("DisassembleArguments", "requests"),
    ("DisconnectArguments", "requests"),
    ("ExceptionInfoArguments", "requests"),
    ("GotoArguments", "requests"),
    ("LaunchRequestArguments", "requests"),
    ("ModulesArguments", "requests"),
    ("NextArguments", "requests"),
    ("PauseArguments", "requests"),
    ("ReadMemoryArguments", "requests"),
    ("RestartFrameArguments", "requests"),
    ("ReverseContinueArguments", "requests"),
    ("ScopesArguments", "requests"),
    ("SetDataBreakpointsArguments", "requests"),
    ("SetExpressionArguments", "requests"),
    ("SetFunctionBreakpointsArguments", "requests"),
    ("SetVariableArguments", "requests"),
    ("StepBackArguments", "requests"),
    ("StepInArguments", "requests"),
    ("StepInTargetsArguments", "requests"),
    ("StepOutArguments", "requests"),
    ("TerminateArguments", "requests"),
    ("TerminateThreadsArguments", "requests"),
    ("VariablesArguments", "requests"),
    ("WriteMemoryArguments", "requests"),
    ("BreakpointLocationsResponse", "responses"),
    ("DataBreakpointInfoResponse", "responses"),
    ("ExceptionInfoResponse", "responses"),
    ("GotoTargetsResponse", "responses"),
    ("ReadMemoryResponse", "responses"),
    ("SourceResponse", "responses"),
    ("ThreadsResponse", "responses"),
    ("WriteMemoryResponse", "responses"),
    ("BreakpointLocation", "types"),
    ("Checksum", "types"),
    ("ChecksumAlgorithm", "types"),
    ("DataBreakpoint", "types"),
    ("DataBreakpointAccessType", "types"),
    ("ExceptionBreakMode", "types"),
    ("ExceptionDetails", "types"),
    ("ExceptionOptions", "types"),
    ("ExceptionPathSegment", "types"),
    ("FunctionBreakpoint", "types"),
    ("GotoTarget", "types"),
    ("InvalidatedAreas", "types"),
    ("SteppingGranularity", "types"),
    ("Thread", "types"),
    ("ValueFormat", "types"),
    ("VariablePresentationHint", "types"),
];

/// Enumerations inside the shapes above, which their users need by name.
pub(super) const ENUMS_FROM_DAP: &[&str] = &[
    "VariablePresentationHintAttributes",
    "VariablePresentationHintKind",
    "VariablePresentationHintVisibility",
    "VariablesArgumentsFilter",
];

/// True for a definition that `wire` takes from the `dap` crate.
pub(super) fn is_from_dap(definition: &str) -> bool {
    FROM_DAP.iter().any(|(name, _)| *name == definition)
}

/// `supportsANSIStyling` -> `supports_ansi_styling`, `type` -> `type_field`, `__restart` -> `restart`.
pub(super) fn field_name(member: &str) -> String {
    let letters: Vec<char> = member.trim_start_matches('_').chars().collect();
    let mut name = String::new();
    for (index, &letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && letters.get(index - 1).is_some_and(|c| !c.is_uppercase());
        let before_lower = letters.get(index + 1).is_some_and(|c| c.is_lowercase());
        if letter.is_uppercase() && index > 0 && (after_lower || before_lower) && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    if name == "type" { "type_field".to_owned() } else { name }
}

/// What serde's `rename_all = "camelCase"` makes of a field's name; where it differs the field needs its own rename.
pub(super) fn camel_case(field: &str) -> String {
    let pascal = variant_name(field);
    let mut letters = pascal.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// `function breakpoint` -> `FunctionBreakpoint`, `readOnly` -> `ReadOnly`.
pub(super) fn variant_name(value: &str) -> String {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        })
        .collect::<Vec<String>>()
        .concat()
}
