//! Which parts of pods a configuration needs.

use std::fmt;

/// A part of a pod that a directory may do without. Always needed are the name, the addresses, the times, and whether the pod
/// is on the host's network, finished, terminating or not to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `metadata.namespace`.
    Namespace,
    /// `metadata.uid`.
    Uid,
    /// `spec.nodeName`.
    Node,
    /// `spec.hostname`.
    Hostname,
    /// The Deployment that owns the pod.
    Deployment,
    /// `status.phase`.
    Phase,
    /// Labels.
    Labels,
    /// Annotations.
    Annotations,
    /// Names and ids of containers.
    Containers,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 9] = [
        Self::Namespace,
        Self::Uid,
        Self::Node,
        Self::Hostname,
        Self::Deployment,
        Self::Phase,
        Self::Labels,
        Self::Annotations,
        Self::Containers,
    ];

    /// The field's name in `GET /pods`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Uid => "uid",
            Self::Node => "node",
            Self::Hostname => "hostname",
            Self::Deployment => "deployment",
            Self::Phase => "phase",
            Self::Labels => "labels",
            Self::Annotations => "annotations",
            Self::Containers => "containers",
        }
    }

    /// The field of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of fields. As text it is the fields' names, separated by commas.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fields(u16);

impl Fields {
    /// No field.
    pub const NONE: Self = Self(0);

    /// Every field.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);

    /// Whether the set contains a field.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }

    /// The set with one field more.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | field.bit())
    }

    /// The set with one field less.
    #[must_use]
    pub const fn without(self, field: Field) -> Self {
        Self(self.0 & !field.bit())
    }

    /// The fields that are in one or the other.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields of the set, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        fields.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.iter().enumerate() {
            formatter.write_str(if index > 0 { "," } else { "" })?;
            formatter.write_str(field.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let some = Fields::from_iter([Field::Annotations, Field::Uid, Field::Uid]);
        assert_eq!(some.to_string(), "uid,annotations");
        assert!(some.contains(Field::Uid) && !some.contains(Field::Namespace));
        assert_eq!(some.without(Field::Uid).without(Field::Node), Fields::NONE.with(Field::Annotations));
        assert_eq!(some.union(Field::ALL.into_iter().collect()), Fields::ALL);
        assert_eq!((Fields::NONE.to_string().as_str(), Fields::ALL.iter().count()), ("", Field::ALL.len()));
        assert!(Field::ALL.into_iter().all(|field| Field::of_name(field.name()) == Some(field)));
        assert_eq!(Field::of_name("ips"), None);
    }
}
