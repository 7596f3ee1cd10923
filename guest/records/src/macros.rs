//! Forms of records and choices, from the list of what they have.

/// The form of a struct: its fields, in the order that `wit/` declares.
macro_rules! record {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::Record for $type {
            fn write(&self, out: &mut Vec<u8>) {
                // A field that is missing here does not compile.
                let Self { $($field),* } = self;
                $($crate::Record::write($field, out);)*
            }

            fn read(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::Malformed> {
                $(let $field = $crate::Record::read(reader)?;)*
                Ok(Self { $($field),* })
            }
        }

        #[cfg(test)]
        impl $crate::tests::Declared for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

/// The form of an enum: its cases, in the order that `wit/` declares, each with at most one value.
macro_rules! choice {
    ($type:ty { $($place:literal => $case:ident $(($value:ident))?),* $(,)? }) => {
        impl $crate::Record for $type {
            fn write(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$case $(($value))? => {
                        out.push($place);
                        $($crate::Record::write($value, out);)?
                    })*
                }
            }

            fn read(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::Malformed> {
                match reader.case()? {
                    $($place => {
                        $(let $value = $crate::Record::read(reader)?;)?
                        Ok(Self::$case $(($value))?)
                    })*
                    other => Err($crate::Malformed::Case(other)),
                }
            }
        }

        #[cfg(test)]
        impl $crate::tests::Declared for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($case)),*];
        }
    };
}

pub(crate) use {choice, record};
