//! What an address belongs to, and raw words decoded: against what the program itself says, in debug, optimised and stripped builds.

use e2e::fixture::{self, Mode};
use e2e::{Fixture, Session};
use serde_json::{Value, json};

use crate::support::{launch, toolchain};

/// One line of the program's report: name, address, facts.
struct Line {
    name: String,
    address: String,
    facts: Vec<String>,
}

fn report(session: &mut Session) -> Vec<Line> {
    session.client.wait_for_output("stdout", "all\n");
    let text = session.client.output("stdout");
    let line = |l: &str| {
        let mut words = l.split_whitespace().map(str::to_owned);
        Some(Line { name: words.next()?, address: words.next()?, facts: words.collect() })
    };
    text.lines().filter_map(line).collect()
}

fn check_place(session: &mut Session, line: &Line, mode: Mode) {
    let stripped = mode == Mode::Stripped;
    let place = session.client.ok("itab/pointee", json!({"address": line.address}));
    let text = place["text"].as_str().unwrap_or_default().to_owned();
    let what = format!("{} {}: {place}", line.name, line.address);
    for fact in &line.facts {
        let Some((key, value)) = fact.split_once('=') else {
            assert_eq!(place["region"], json!(fact), "{what}");
            continue;
        };
        match key {
            "size" => assert_eq!(place["size"].to_string(), value, "{what}"),
            "class" => assert_eq!(place["sizeClass"].to_string(), value, "{what}"),
            "free" => assert_eq!(place["free"].to_string(), value, "{what}"),
            "goroutine" => assert_eq!(place["goroutine"].to_string(), value, "{what}"),
            "function" => assert!(text.contains(value), "{what}"),
            // The names of variables are in the debug information.
            "variable" if stripped => assert!(place["variable"].is_null(), "{what}"),
            // Optimised code may have no place for it any more.
            "variable" if mode == Mode::Optimised && place["variable"].is_null() => {}
            "variable" => assert!(text.ends_with(&format!("variable {value}")), "{what}"),
            "symbol" if stripped && line.name != "text" => assert!(place["symbol"].is_null(), "{what}"),
            "symbol" => assert_eq!(place["symbol"], json!(value), "{what}"),
            "itab" => {
                let itab = session.client.ok("itab/decode", json!({"address": line.address, "as": "auto"}));
                let (concrete, interface) = value.split_once(',').expect("two types");
                let wanted = format!("{concrete} as {interface}, 1 method");
                assert_eq!(itab["variable"]["value"], json!(wanted), "{what}");
                assert!(text.contains(&format!("itab of {concrete} as {interface}")), "{what}");
            }
            other => panic!("{other}"),
        }
    }
    // The console and the intrinsic say the same.
    let console = session.eval_in(&format!("where {}", line.address), "repl").expect("where").value;
    assert!(console.contains(&text), "{what}: {console}");
    assert_eq!(session.text(&format!("where({})", line.address)), text, "{what}");
}

fn check_words(session: &mut Session, line: &Line, types: &str) {
    let (interface, concrete) = types.split_once(',').expect("two types");
    let start = format!("{interface}({concrete}) ");
    let address = u64::from_str_radix(line.address.trim_start_matches("0x"), 16).expect("an address");
    let memory = session.client.ok("readMemory", json!({"memoryReference": line.address, "count": 16}));
    let words = words(memory["data"].as_str().expect("data"));
    for arguments in [
        json!({"address": line.address, "as": "iface"}),
        json!({"address": line.address}),
        json!({"words": [format!("{:#x}", words[0]), format!("{:#x}", words[1])]}),
    ] {
        let found = session.client.ok("itab/decode", arguments.clone());
        let value = found["variable"]["value"].as_str().unwrap_or_default();
        assert!(value.starts_with(&start), "{arguments}: {found}");
        let reference = found["variable"]["variablesReference"].as_i64().unwrap_or(0);
        let children = session.children(reference);
        assert_eq!(children.last().map(|c| c.name.as_str()), Some("[itab]"), "{arguments}: {children:?}");
        assert_eq!(found["pointee"]["region"], json!("heap"), "{arguments}: {found}");
    }
    let console = session.eval_in(&format!("iface {address:#x}"), "repl").expect("iface").value;
    for text in [start.as_str(), &format!("{concrete} as {interface}"), "data: 0x", "heap"] {
        assert!(console.contains(text), "{text} is not in {console}");
    }
}

fn words(base64: &str) -> Vec<u64> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for c in base64.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | ALPHABET.iter().position(|a| *a == c).expect("base64") as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("8"))).collect()
}

fn check(fixture: &Fixture) {
    let path = fixture.path();
    let line = fixture.line("look");
    let mut session = Session::launch(&launch(fixture, "auto"), &[(&path, &[line])]);
    let stop = session.stopped();
    let (function, at) = session.place(stop.thread);
    assert_eq!((function.as_str(), at), ("main.look", line), "{}", fixture.title());
    let lines = report(&mut session);
    assert!(lines.len() > 20, "{}", lines.len());
    for line in &lines {
        match line.facts.first().and_then(|f| f.strip_prefix("words=")) {
            Some(types) => check_words(&mut session, line, types),
            None => check_place(&mut session, line, fixture.mode),
        }
    }
    refuses_garbage(&mut session, &lines);
    assert_eq!(session.run_out(stop.thread), 0, "{}", fixture.title());
    session.client.end();
}

fn first_word(session: &mut Session, address: &str) -> Option<u64> {
    let arguments = json!({"memoryReference": address, "count": 8});
    let memory = session.client.request("readMemory", arguments).ok()?;
    words(memory["data"].as_str()?).first().copied()
}

/// Whatever the address, the answer is a sentence that says why.
fn refuses_garbage(session: &mut Session, lines: &[Line]) {
    let mut asked = 0;
    for line in lines {
        let wrong: &[&str] = match line.name.as_str() {
            "itab" => &["iface", "eface", "type", "func"],
            "iface" | "words" => &["itab", "type", "func", "eface"],
            "text" => &["itab", "type", "iface", "eface"],
            _ => &["itab", "type", "func", "iface", "eface", "auto"],
        };
        for how in wrong {
            let arguments = json!({"address": line.address, "as": how});
            if how.ends_with("face") && first_word(session, &line.address) == Some(0) {
                let found = session.client.ok("itab/decode", arguments);
                let value = found["variable"]["value"].as_str().unwrap_or_default();
                assert!(value.contains("nil"), "{} as {how}: {found}", line.name);
                continue;
            }
            let failure = session.client.refused("itab/decode", arguments);
            let text = failure.message;
            assert!(text.contains("0x") && text.contains(" is "), "{} as {how}: {text}", line.name);
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
    for (arguments, text) in [
        (json!({}), "give either"),
        (json!({"address": "xyz"}), "not an address"),
        (json!({"address": "0x10", "words": ["0x1", "0x2"]}), "give either"),
        (json!({"address": "0x10", "as": "struct"}), "none of iface"),
        (json!({"words": ["0x10", "0x20"]}), "neither an itab nor a type"),
    ] {
        let failure = session.client.refused("itab/decode", arguments);
        assert!(failure.message.contains(text), "{text}: {failure:?}");
    }
    for arguments in [json!({}), json!({"address": "-1"}), json!({"expression": "nosuch"})] {
        session.client.refused("itab/pointee", arguments);
    }
    let nil: Value = session.client.ok("itab/decode", json!({"words": ["0x0", "0x0"]}));
    assert_eq!(nil["variable"]["value"], json!("interface {} nil"), "{nil}");
}

fn on(minor: u32) {
    let Some(go) = toolchain(minor) else { return };
    for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped, Mode::Pie] {
        check(&fixture::build("places", &go, mode));
    }
}

#[test]
fn places_of_go_1_21() {
    on(21);
}

#[test]
fn places_of_go_1_24() {
    on(24);
}

#[test]
fn places_of_the_newest() {
    on(27);
}
