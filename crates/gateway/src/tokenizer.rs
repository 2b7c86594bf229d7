//! Counts text with a model's own tokenizer.
//!
//! The vocabularies and the splitting of text are those of OpenAI's
//! [tiktoken](https://github.com/openai/tiktoken). The crate takes time linear in the text,
//! whatever it contains.

use super::config::Tokenizer;

/// Longer texts are counted on a blocking thread.
const SHORT: usize = 16 * 1024;

impl Tokenizer {
    /// Counts the tokens of a text.
    pub(super) fn count(self, text: &str) -> u64 {
        let tokens = match self {
            Self::Cl100kBase => bpe_openai::cl100k_base().count(text),
            Self::O200kBase => bpe_openai::o200k_base().count(text),
        };
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// Loads the vocabulary, so that the first count does not have to.
    pub(super) fn load(self) {
        self.count("");
    }

    /// Whether a text of this many bytes may be counted on an async thread.
    pub(super) const fn is_quick_for(bytes: usize) -> bool {
        bytes <= SHORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of tiktoken 0.12 for the same texts.
    #[test]
    fn counts_match_tiktoken() {
        for (text, cl100k, o200k) in [
            ("", 0, 0),
            ("tiktoken is great!", 6, 6),
            ("2 + 2 = 4", 7, 7),
            ("お誕生日おめでとう", 9, 8),
        ] {
            assert_eq!(Tokenizer::Cl100kBase.count(text), cl100k, "{text}");
            assert_eq!(Tokenizer::O200kBase.count(text), o200k, "{text}");
        }
    }

    #[test]
    fn text_never_has_more_tokens_than_bytes() {
        for text in ["0123456789".repeat(50), " ".repeat(500), "\u{fffd}é語\r\n".repeat(50)] {
            for tokenizer in [Tokenizer::Cl100kBase, Tokenizer::O200kBase] {
                assert!(tokenizer.count(&text) <= text.len() as u64);
            }
        }
    }
}
