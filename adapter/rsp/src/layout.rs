//! Where a register is in a `g` packet. Size and order depend on the CPU and on what was negotiated (560 to 2,500 bytes seen):
//! they are read from target.xml, never assumed.

use std::collections::HashMap;

/// Register name -> (byte offset, bytes) in the `g` packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterLayout {
    places: HashMap<String, (usize, usize)>,
    size: usize,
}

impl RegisterLayout {
    /// Builds the layout from the text of target.xml, `xi:include`s already put in. Registers lie one behind the other in the
    /// order of `regnum` (given, or counted on).
    pub fn parse(xml: &str) -> RegisterLayout {
        let mut numbered: Vec<(usize, String, usize)> = Vec::new();
        let mut next = 0_usize;
        for tag in xml.split('<').filter(|t| t.starts_with("reg ")) {
            let Some(name) = attribute(tag, "name") else { continue };
            let bits: usize = attribute(tag, "bitsize").and_then(|b| b.parse().ok()).unwrap_or(0);
            let number = attribute(tag, "regnum").and_then(|n| n.parse().ok()).unwrap_or(next);
            next = number.saturating_add(1);
            if bits == 0 || bits > 65_536 {
                continue;
            }
            numbered.push((number, name.to_string(), bits / 8));
        }
        numbered.sort_by_key(|r| r.0);
        let mut layout = RegisterLayout::default();
        for (_, name, bytes) in numbered {
            layout.places.insert(name, (layout.size, bytes));
            layout.size += bytes;
        }
        layout
    }

    /// Bytes of a whole `g` packet.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A register's bytes inside a decoded `g` packet.
    pub fn slice<'a>(&self, g: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let (at, len) = self.places.get(name)?;
        g.get(*at..at.checked_add(*len)?)
    }

    /// The same, to write.
    pub fn slice_mut<'a>(&self, g: &'a mut [u8], name: &str) -> Option<&'a mut [u8]> {
        let (at, len) = self.places.get(name)?;
        g.get_mut(*at..at.checked_add(*len)?)
    }

    /// A register of up to 8 bytes.
    pub fn value(&self, g: &[u8], name: &str) -> Option<u64> {
        let bytes = self.slice(g, name)?;
        let mut word = [0; 8];
        for (w, b) in word.iter_mut().zip(bytes) {
            *w = *b;
        }
        Some(u64::from_le_bytes(word))
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let at = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag.get(at..)?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_lie_in_the_order_of_their_numbers() {
        let l = RegisterLayout::parse(
            r#"<feature><reg name="rax" bitsize="64" regnum="0"/><reg name="eflags" bitsize="32"/>
               <reg name="xmm0" bitsize="128" regnum="9"/></feature>"#,
        );
        assert_eq!(l.size(), 28);
        let mut g = vec![0; 28];
        g[8] = 7;
        assert_eq!(l.value(&g, "eflags"), Some(7));
        assert_eq!(l.slice(&g, "xmm0").map(<[u8]>::len), Some(16));
        assert_eq!(l.value(&g[..10], "eflags"), None);
    }
}
