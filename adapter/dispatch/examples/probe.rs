use std::collections::BTreeMap;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let only = std::env::args().nth(2);
    let t = std::time::Instant::now();
    let image = image::Image::open(std::path::Path::new(&path)).unwrap();
    println!("open {:?} funcs {} itabs {}", t.elapsed(), image.functions().len(), image.static_itabs().len());
    let e = dispatch::Engine::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let t = std::time::Instant::now();
    for f in image.functions().iter() {
        if let Some(o) = &only { if !f.name().starts_with(o.as_str()) { continue } }
        let sites = e.sites(&image, f.id());
        for s in sites.iter() {
            let k = match s.kind { dispatch::SiteKind::Static{..} => "static".into(), dispatch::SiteKind::Constant{..} => "const".to_string(), dispatch::SiteKind::Dictionary{..} => "dict".to_string(), k => format!("{k:?}{}", if s.tail {" tail"} else {""}) };
            *kinds.entry(k.clone()).or_default() += 1;
            if only.is_some() && k != "static" { println!("{:x} {} {:?} slot {:?} {:?} {:?} {}:{} loads {:x?}", s.pc, f.name(), s.kind, s.slot, s.interface, s.method, s.file, s.line, s.loads); }
        }
    }
    println!("{kinds:?} {:?}", t.elapsed());
}
