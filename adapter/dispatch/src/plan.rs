//! What a step into a call needs: where to wait, what to accept. The session owns breakpoints and running.

use image::{Image, Itab, Shape};
use machine::{Memory, Regs};

use crate::api::{
    CallKind, CallSite, Chain, Context, Role, Scope, Site, SiteKind, SlotEntry, State, StepPlan,
};
use crate::calls::lookup_pc;
use crate::engine::{Engine, World};
use crate::interp::{Machine, V};
use crate::predict::Line;
use crate::resolve;

impl Engine {
    /// All call instructions of `func`, direct ones included, classified; in address order.
    pub fn sites(&self, image: &Image, func: image::FuncId) -> std::sync::Arc<[std::sync::Arc<Site>]> {
        image
            .functions()
            .get(func)
            .and_then(|f| self.analysis(image, f))
            .map_or_else(|| Vec::new().into(), |a| a.sites.clone())
    }

    /// Word to body: follows wrappers by emulating them with `regs`, the registers at the target's first instruction.
    pub fn resolve(&self, image: &Image, mem: &dyn Memory, target: u64, regs: Option<&Regs>) -> Chain {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let machine = regs.map(|r| Machine::new(mem, r, w.read_only));
        resolve::chain(&w, target, machine)
    }

    /// The chain of a func value (address of its funcval): code, wrappers, body.
    pub fn resolve_func(&self, image: &Image, mem: &dyn Memory, funcval: u64) -> Chain {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let Some(code) = crate::exec::func_code(mem, funcval) else {
            return Chain { reason: Some("the func value can't be read".into()), ..Chain::default() };
        };
        let mut regs = Regs::new(image.arch());
        regs.set(image.arch().context(), funcval);
        resolve::chain(&w, code, Some(Machine::new(mem, &regs, w.read_only)))
    }

    /// The method table of an itab in slot order, each entry followed to its body. `data`: the interface's second word, if there is
    /// a value (wrappers that dispatch again need it).
    pub fn method_table(
        &self,
        image: &Image,
        mem: &dyn Memory,
        itab: &Itab,
        data: Option<u64>,
    ) -> Vec<SlotEntry> {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let inter = image.type_from_runtime(itab.inter);
        let names: Vec<String> = match image.type_of(inter, mem).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { methods: Some(m), .. }) => m.iter().map(|m| m.name.to_string()).collect(),
            _ => Vec::new(),
        };
        let entry = |(i, target): (usize, &u64)| {
            let removed =
                image.functions().at(*target).is_some_and(|f| f.name() == "runtime.unreachableMethod");
            let machine = data.map(|d| {
                let mut regs = Regs::new(image.arch());
                if let Some(r) = image.arch().int_args().first() {
                    regs.set(*r, d);
                }
                Machine::new(mem, &regs, w.read_only)
            });
            let mut chain = resolve::chain(&w, *target, machine);
            if chain.body.is_none() && chain.will_panic.is_none() && !removed {
                chain = resolve::chain(&w, *target, None);
            }
            SlotEntry {
                slot: i as u16,
                method: names.get(i).cloned().unwrap_or_else(|| format!("slot {i}")),
                entry: *target,
                removed,
                chain,
            }
        };
        itab.fun.iter().enumerate().take(10_000).map(entry).collect()
    }

    /// What a step into `call` has to do.
    pub fn plan(&self, cx: &Context<'_>, call: &CallSite) -> StepPlan {
        let read_only = |a: u64| cx.image.is_read_only(a);
        let w = World { engine: self, image: cx.image, mem: cx.mem, read_only: &read_only };
        let mut plan = StepPlan { line_exits: line_exits(&w, cx), ..StepPlan::default() };
        plan.call_pc = call.call_pc;
        plan.new_goroutine = call.kind == CallKind::Go;
        plan.deferred = matches!(call.kind, CallKind::Defer | CallKind::Deferred);
        plan.callback = call.kind == CallKind::Callback;
        if let Some(site) = &call.site {
            plan.return_pc = (site.return_pc != 0).then_some(site.return_pc);
            plan.tail = site.tail;
            // The target may change before the call: the load decides.
            if !plan.new_goroutine && !plan.deferred && !matches!(site.kind, SiteKind::Static { .. }) {
                plan.run_to_load = vec![(site.pc, None)];
                if site.kind == SiteKind::Interface {
                    plan.run_to_load = site.loads.iter().map(|l| (l.pc, l.base)).collect();
                }
            }
        }
        if call.state == State::Panics {
            plan.reason = call.reason.clone();
            return plan;
        }
        match &call.body {
            Some(b) => {
                plan.stop_at = Some(b.stop_pc);
                plan.in_this_frame = b.inlined && call.call_pc.is_none() && !plan.callback;
            }
            None if plan.run_to_load.is_empty() => {
                plan.reason = call.reason.clone().or_else(|| Some("the target isn't known".into()));
            }
            None => {}
        }
        plan.hops = call.chain.iter().filter(|l| l.role == Role::Wrapper).map(|l| l.address).collect();
        plan
    }

    /// The chain of a call whose load, or CALL, the thread is stopped at: `regs` are its registers there.
    pub fn resolve_at_load(&self, image: &Image, mem: &dyn Memory, regs: &Regs, site: &Site) -> Chain {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let fail = |why: &str| Chain { reason: Some(why.into()), ..Chain::default() };
        let Some(f) = image.functions().at(regs.pc()) else { return fail("not Go code") };
        let Some(a) = self.analysis(image, f) else { return fail("no machine code") };
        let mut m = Machine::new(mem, regs, w.read_only);
        let mut pc = regs.pc();
        let mut itab = None;
        for _ in 0..80 {
            let Some(inst) = a.code.at(pc).and_then(|i| a.code.inst(i)) else {
                return fail("the call was not reached");
            };
            if let Some(l) = site.loads.iter().find(|l| l.pc == pc) {
                itab = l.base.and_then(|b| m.reg(b.0 as u8)).map(|v| v.n).or(itab);
            }
            match m.step(inst, true) {
                crate::interp::Step::Next => pc = inst.end(),
                crate::interp::Step::Call(Some(t)) | crate::interp::Step::Jump(Some(t))
                    if inst.addr == site.pc =>
                {
                    if site.return_pc != 0 {
                        m.enter(site.return_pc);
                    }
                    let mut chain = resolve::chain(&w, t.n, Some(m));
                    if let Some(link) = itab.and_then(|i| crate::calls::itab_link(&w, i, site.slot)) {
                        chain.links.insert(0, link);
                    }
                    return chain;
                }
                crate::interp::Step::Fault(V { n, .. }) => {
                    let why =
                        if n < 4096 { "nil interface" } else { "the receiver points to unmapped memory" };
                    return Chain { will_panic: Some(why.into()), ..Chain::default() };
                }
                _ => return fail("the call was not reached"),
            }
        }
        fail("the call was not reached")
    }

    /// At a call of `reflect.Value.Call`: the chain of what it will call.
    pub fn resolve_reflected(&self, image: &Image, mem: &dyn Memory, regs: &Regs) -> Chain {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let machine = Machine::new(mem, regs, w.read_only);
        resolve::from(&w, crate::reflected::called(&w, &machine))
    }

    /// Bodies that a direct call of `target` may call back, by its arguments in `regs`.
    pub fn callbacks(&self, image: &Image, mem: &dyn Memory, target: u64, regs: &Regs) -> Vec<Chain> {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let machine = Machine::new(mem, regs, w.read_only);
        let callee = resolve::chain(&w, target, None);
        crate::callbacks::of_call(&w, &machine, &callee)
    }

    /// For a session that shows a whole function.
    pub fn function_calls(&self, cx: &Context<'_>) -> Vec<CallSite> {
        self.call_sites(cx, Scope::Function)
    }
}

/// pcs of the physical function where a statement of another line (or of another inline instance) starts.
fn line_exits(w: &World<'_>, cx: &Context<'_>) -> Vec<u64> {
    let pc = lookup_pc(cx);
    let Some(f) = w.image.functions().at(pc) else { return Vec::new() };
    let stack = w.image.functions().inline_stack(pc);
    let Some(line) = Line::of(&stack, cx.inline_depth) else { return Vec::new() };
    let mut out: Vec<u64> = f
        .rows()
        .iter()
        .filter(|r| r.is_stmt && !line.holds(&w.image.functions().inline_stack(r.start)))
        .map(|r| r.start)
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}
