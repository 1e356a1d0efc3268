//! Interface types of sites from whole-function data flow.

use image::{Function, Image};

use crate::api::Claim;
use crate::classify::Found;
use crate::engine::Engine;
use crate::flow::Flowed;

/// Facts shared by all functions of an image.
#[derive(Default)]
pub(crate) struct Shared {}

pub(crate) struct Typer<'a> {
    engine: &'a Engine,
    image: &'a Image,
}

impl<'a> Typer<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        image: &'a Image,
        _f: Function<'a>,
        _flow: &'a Flowed<'a>,
        _found: &[Found],
    ) -> Typer<'a> {
        Typer { engine, image }
    }

    /// Turns closure calls through the dictionary parameter into dictionary calls.
    pub(crate) fn refine(&self, _found: &mut [Found]) {}

    pub(crate) fn claim(&self, found: &Found) -> (Claim, Option<String>) {
        if let (Some(itab), Some(slot)) = (found.constant_itab, found.slot)
            && let Some(i) = self.engine.itabs(self.image).get(itab)
        {
            let ty = self.image.type_from_runtime(i.inter);
            let method = match self.image.type_of(ty, self.image).map(|t| t.shape.clone()) {
                Ok(image::Shape::Interface { methods: Some(m), .. }) => {
                    m.get(slot as usize).map(|m| m.name.to_string())
                }
                _ => None,
            };
            return (Claim::Known { interface: ty, from: "itab" }, method);
        }
        (Claim::Unknown("not analysed"), None)
    }
}
