//! The components that a document defines.

use std::cell::Cell;

use crate::config::collector;
use crate::config::collector::component::{Kind, Role, same};
use crate::config::document::{Entry, Section};
use crate::interface::Level;

/// A component as the document defines it.
#[derive(Debug)]
pub(crate) struct Component<'d> {
    pub(crate) kind: Kind,
    pub(crate) id: &'d str,
    pub(crate) role: Role,
    pub(crate) entry: Entry<'d>,
    used: Cell<bool>,
}

impl Component<'_> {
    /// The id without the name.
    pub(crate) fn type_name(&self) -> &str {
        type_name(self.id)
    }

    /// Notes that a pipeline that runs refers to it.
    #[cold]
    pub(crate) fn mark_used(&self) {
        self.used.set(true);
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.get()
    }
}

/// All components of a document.
#[derive(Debug)]
pub(crate) struct Catalog<'d> {
    components: Vec<Component<'d>>,
    /// Kinds whose section cannot be read, so that nobody knows what it defines.
    unread: Vec<Kind>,
}

impl<'d> Catalog<'d> {
    #[cold]
    pub(crate) fn of_document(root: &mut Section<'d>) -> Self {
        let (mut components, mut unread) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let section = root.take(kind.section());
            let entries = section.entries();
            unread.extend((section.is_filled() && entries.is_empty()).then_some(kind));
            for (id, entry) in entries {
                let (role, keys) = (kind.role(type_name(id)), collector::keys(kind, type_name(id)));
                let entry = entry.with_default(keys);
                components.push(Component { kind, id, role, entry, used: Cell::new(false) });
            }
        }
        Self { components, unread }
    }

    /// The components that a pipeline refers to.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Component<'d>> {
        self.components.iter().filter(|component| component.is_used())
    }

    /// Notes that a pipeline that runs refers to a component.
    pub(crate) fn mark_used(&self, kind: Kind, id: &str) {
        if let Some(component) = self.find(kind, id) {
            component.mark_used();
        }
    }

    /// Whether the section of a kind can be read.
    pub(crate) fn is_known(&self, kind: Kind) -> bool {
        !self.unread.contains(&kind)
    }

    /// Paths of what nobody reads: components that have no effect here, and those that the traces pipeline does not use.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        let is_unused =
            |component: &&Component<'_>| !component.is_used() || matches!(component.role, Role::Inert(_));
        self.components.iter().filter(is_unused).map(|component| component.entry.path())
    }

    /// Components of a kind that podstamp has.
    pub(crate) fn supported(&self, kind: Kind) -> impl Iterator<Item = &Component<'d>> {
        self.of(kind).filter(|component| component.role == Role::Supported)
    }

    /// All components of a kind.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &Component<'d>> {
        self.components.iter().filter(move |component| component.kind == kind)
    }

    #[cold]
    pub(crate) fn find(&self, kind: Kind, id: &str) -> Option<&Component<'d>> {
        self.of(kind).find(|component| component.id == id)
    }

    /// Says of each component that has no effect why that is. Authenticators have their own report, once everything is read
    /// that may refer to them.
    #[cold]
    pub(crate) fn report_unused(&self) {
        for component in &self.components {
            let Component { kind, role, entry, used, .. } = component;
            match role {
                Role::Inert(why) => entry.no_effect(why),
                Role::Supported if *kind == Kind::Extension => {}
                Role::Supported if !used.get() => {
                    // Those that change nothing of a span are not missed.
                    let is_missed = *kind == Kind::Processor
                        && !["batch", "memory_limiter"]
                            .iter()
                            .any(|known| same(known, component.type_name()));
                    let level = if is_missed { Level::Warning } else { Level::Info };
                    entry.notice(level, "config-unused", "the traces pipeline does not use it");
                }
                Role::Missing if !used.get() => {
                    let hint = kind.hint(component.type_name());
                    let kind = kind.name();
                    entry.no_effect(&format!(
                        "podstamp has no such {kind}, and the traces pipeline uses none{hint}"
                    ));
                }
                Role::Supported | Role::Missing => {}
            }
        }
    }
}

/// A component's id is `type` or `type/name`.
fn type_name(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}
