//! Counts of text by a model's own tokenizer.
//!
//! The vocabularies and the way that text is split are those of OpenAI's
//! [tiktoken](https://github.com/openai/tiktoken). The crate counts in time that grows with the
//! text alone, whatever the text is.

use super::config::Tokenizer;

/// Texts of more bytes are counted where nobody waits for the thread.
const SHORT: usize = 16 * 1024;

impl Tokenizer {
    /// The tokens of a text.
    pub(super) fn count(self, text: &str) -> u64 {
        let tokens = match self {
            Self::Cl100kBase => bpe_openai::cl100k_base().count(text),
            Self::O200kBase => bpe_openai::o200k_base().count(text),
        };
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// Reads the vocabulary, which the first count would otherwise wait for.
    pub(super) fn load(self) {
        self.count("");
    }

    /// Whether so many bytes are counted at once.
    pub(super) const fn is_quick_for(bytes: usize) -> bool {
        bytes <= SHORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tiktoken 0.12 says of the same texts.
    #[test]
    fn texts_are_counted_as_the_models_do() {
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
    fn no_text_has_more_tokens_than_bytes() {
        for text in ["0123456789".repeat(50), " ".repeat(500), "\u{fffd}é語\r\n".repeat(50)] {
            for tokenizer in [Tokenizer::Cl100kBase, Tokenizer::O200kBase] {
                assert!(tokenizer.count(&text) <= text.len() as u64);
            }
        }
    }
}
