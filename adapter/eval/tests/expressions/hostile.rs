//! Garbage: memory full of noise, frames of nowhere, expressions of random tokens. Nothing may panic, hang or take much memory.

use std::time::{Duration, Instant};

use eval::{Names, Purpose, Scope, Scratch};
use golang::{MadeTypes, Process};
use machine::{MemError, Memory};

use crate::support::{self, Mode};

/// Every address is mapped and holds noise that depends on the address and a seed; some words look like pointers into the program.
struct Noise {
    seed: u64,
    image_from: u64,
}

impl Memory for Noise {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        for (i, b) in buf.iter_mut().enumerate() {
            let at = addr.wrapping_add(i as u64);
            let mut word = (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.seed;
            word ^= word >> 29;
            word = word.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let word = match word % 5 {
                0 => self.image_from + (word >> 44),
                1 => word >> 56,
                2 => 0,
                3 => 0xc000_0000_0000 + (word >> 40),
                _ => word,
            };
            *b = word.to_le_bytes()[(at % 8) as usize];
        }
        Ok(buf.len())
    }
}

#[test]
fn garbage_memory_gives_values_or_sentences() {
    let Some(program) = support::oracle("1.27.3", Mode::Debug) else { return };
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let running = support::run_until_end(&program, &["locals"]);
    let real = Process::new(&image, &running.memory, &[], &made);
    let frame = support::frame_of(&real, "main.locals");
    let start = Instant::now();
    for seed in 0..2 {
        let noise = Noise { seed, image_from: image.type_range().start };
        let process = Process::new(&image, &noise, &[], &made);
        let scope = Scope::new(&process, Some(&frame), &scratch);
        let names = Names::of(&scope);
        for text in support::expressions().iter().step_by(7) {
            let before = Instant::now();
            support::outcome(text, &names, &scope);
            if before.elapsed() > Duration::from_millis(300) {
                eprintln!("seed {seed}: {text} took {:?}", before.elapsed());
            }
            scratch.clear();
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn random_expressions_are_answered() {
    const WORDS: [&str; 60] = [
        "one", "s", "sl", "arr", "m", "ma", "p", "pp", "outer", "a1", "a5", "sq", "ci", "nilp", "fn", "ch",
        "list", "f64", "c128", "yes", "shapes", "nil", "1", "0", "-1", "1.5", "\"x\"", "'a'", "2i", "(", ")",
        "[", "]", "{", "}", ".", ",", ":", "*", "&", "+", "-", "/", "%", "<<", ">>", "==", "!=", "<", "&&",
        "||", "!", "^", "X", "Y", "Next", "int", "string", "typeof", "len",
    ];
    let Some(program) = support::oracle("1.27.3", Mode::Debug) else { return };
    let running = support::run_until_end(&program, &["locals"]);
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let memory = scratch.over(&running.memory);
    let process = Process::new(&image, &memory, &[], &made);
    let frame = support::frame_of(&process, "main.locals");
    let scope = Scope::new(&process, Some(&frame), &scratch);
    let names = Names::of(&scope);
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut values, mut compiled) = (0, 0);
    for _ in 0..6000 {
        let text: Vec<&str> = (0..1 + random(7)).map(|_| WORDS[random(WORDS.len())]).collect();
        let text = text.join(if random(2) == 0 { " " } else { "" });
        if let Ok(program) = eval::compile(&text, &names, Purpose::Value) {
            compiled += 1;
            values += usize::from(eval::run(&program, &scope).is_ok());
        }
        let _ = eval::assignment(&scope, &format!("{text} = {text}"));
        let _ = eval::complete(&text, random(12), &scope);
        scratch.clear();
    }
    println!("{compiled} compiled, {values} gave values");
    assert!(compiled > 300 && values > 100, "{compiled} compiled, {values} gave values");
}

#[test]
fn completions() {
    let Some(program) = support::oracle("1.27.3", Mode::Debug) else { return };
    let running = support::run_until_end(&program, &["locals"]);
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let process = Process::new(&image, &running.memory, &[], &made);
    let frame = support::frame_of(&process, "main.locals");
    let scope = Scope::new(&process, Some(&frame), &scratch);
    let at_end = |text: &str| {
        let (replaced, found) = eval::complete(text, text.chars().count() + 1, &scope);
        (replaced, found.into_iter().map(|c| c.text).collect::<Vec<_>>())
    };
    assert_eq!(at_end("p."), (0, vec!["X".into(), "Y".into()]));
    assert_eq!(at_end("one + pp.X"), (1, vec!["X".into()]));
    assert_eq!(at_end("list.Next.Val"), (3, vec!["Value".into()]));
    assert_eq!(at_end("sts[0]."), (0, vec!["X".into(), "Y".into()]));
    assert_eq!(at_end("a5."), (0, vec!["X".into(), "Y".into()]));
    assert!(at_end("sq.").1.contains(&"Area".to_string()) && at_end("sq.").1.contains(&"Side".to_string()));
    assert!(at_end("outer.").1.contains(&"Level".to_string()), "promoted fields");
    assert!(at_end("out").1.contains(&"outer".to_string()));
    assert!(at_end("shap").1.contains(&"shapes".to_string()));
    assert_eq!(at_end("shapes.Co"), (2, vec!["Count".into()]));
    assert!(at_end("le").1.contains(&"len".to_string()));
    assert_eq!(at_end("nothing."), (0, vec![]));
    assert_eq!(at_end("\"abc"), (0, vec![]));
}
