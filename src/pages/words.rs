//! The words of pages, each in both languages.

/// Declares the words of a set of pages: `name: "English", "中文";`. A missing language does not compile.
macro_rules! words {
    ($($(#[$comment:meta])* $name:ident: $en:literal, $zh:literal;)*) => {
        /// The words of the pages in one language.
        #[derive(Debug, serde::Serialize)]
        pub(super) struct Words {
            $($(#[$comment])* pub(super) $name: &'static str,)*
        }

        impl Words {
            const EN: Self = Self { $($name: $en,)* };
            const ZH: Self = Self { $($name: $zh,)* };

            pub(super) fn of(language: $crate::language::Language) -> &'static Self {
                language.choose(&Self::EN, &Self::ZH)
            }
        }
    };
}
pub(crate) use words;
