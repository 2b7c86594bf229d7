//! How many tokens a call reserves: its maximum cost, within what is left.
//!
//! The prompt is known, but not how an upstream tokenizes it. One token per byte is more than any
//! tokenizer produces, so that bound is reserved if it fits; otherwise the estimate, or an exact
//! count if there is one. The length of the answer is unknown. Its cap is reserved; without a cap,
//! the model's maximum, but at most a quarter of what is left, so that concurrent calls fit.

/// Least number of tokens reserved for an uncapped answer, if that many are left.
const LEAST_OPEN_ANSWER: u64 = 1_024;

/// Estimated cost of a call, in tokens. Kept small: every check carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenEstimate {
    /// Likely tokens of the prompt.
    pub prompt_estimate: u32,
    /// Upper bound of the prompt's tokens; at least the estimate.
    pub prompt_bound: u32,
    /// Number of answers to generate; 0 for calls that generate none, such as embeddings.
    pub answers: u32,
    /// Least tokens of each answer for which the call is worth making: 1, or more if the client
    /// needs them; at most what an answer may have.
    pub least_answer: u32,
    /// Most tokens of each answer.
    pub answer: AnswerCap,
}

/// Most tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerCap {
    /// Cap set by the client.
    Client(u32),
    /// Maximum of the model, if the client sets no cap.
    Model(u32),
}

impl AnswerCap {
    /// Upper bound of the answer, in tokens.
    pub fn tokens(self) -> u64 {
        match self {
            Self::Client(tokens) | Self::Model(tokens) => tokens.into(),
        }
    }
}

/// Reserved tokens by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedTokens {
    /// Tokens reserved for the prompt.
    pub prompt: u64,
    /// Tokens reserved for each answer.
    pub answer: u64,
}

impl TokenEstimate {
    /// Replaces the estimate of the prompt, limited to its bound.
    #[must_use]
    pub(crate) fn with_estimate(self, tokens: u32) -> Self {
        Self { prompt_estimate: tokens.min(self.prompt_bound), ..self }
    }

    /// Most tokens of all answers together.
    fn wanted(&self) -> u64 {
        self.answer.tokens().saturating_mul(self.answers.into())
    }

    /// Least tokens of all answers together.
    fn least_answers(&self) -> u64 {
        u64::from(self.answers).saturating_mul(self.least_answer.max(1).into())
    }

    /// Least number of tokens that must be left to admit the call: the estimated prompt and the
    /// least of each answer.
    pub(crate) fn least(&self) -> u64 {
        u64::from(self.prompt_estimate).saturating_add(self.least_answers())
    }

    /// Tokens to reserve when `left` are left: at least [`Self::least`], and otherwise at most
    /// `left`.
    pub(crate) fn of(&self, left: u64) -> u64 {
        let prompt = self.prompt_of(left);
        let rest = left.saturating_sub(prompt).max(self.least_answers());
        prompt.saturating_add(self.open(left).min(rest))
    }

    /// Most tokens for the answers when `left` tokens are left, prompt included.
    fn open(&self, left: u64) -> u64 {
        match self.answer {
            AnswerCap::Client(_) => self.wanted(),
            AnswerCap::Model(_) => self.wanted().min((left / 4).max(self.least_open())),
        }
    }

    /// Least tokens of answers that are not capped.
    fn least_open(&self) -> u64 {
        LEAST_OPEN_ANSWER.max(self.least_answers())
    }

    /// The upper bound if it leaves room for an answer, else the estimate.
    fn prompt_of(&self, left: u64) -> u64 {
        let answer = self.answer_wanted_with_bound();
        let bound = u64::from(self.prompt_bound);
        if bound.saturating_add(answer) <= left { bound } else { self.prompt_estimate.into() }
    }

    /// Completion tokens that must be left beside the bound of the prompt, or the estimate is
    /// reserved instead.
    pub(crate) fn answer_wanted_with_bound(&self) -> u64 {
        self.wanted().min(self.least_open())
    }

    /// `completion` tokens, but too few beside the estimate of the prompt for its bound to be
    /// reserved.
    pub(crate) fn below_prompt_bound(&self, completion: u64) -> u64 {
        let more =
            u64::from(self.prompt_bound) - u64::from(self.prompt_estimate.min(self.prompt_bound));
        let room = more.saturating_add(self.answer_wanted_with_bound());
        if more == 0 { completion } else { completion.min(room.saturating_sub(1)) }
    }

    /// Splits `granted` tokens into prompt and answers.
    pub fn split(&self, granted: u64) -> ReservedTokens {
        let prompt = self.prompt_of(granted);
        let answers = granted.saturating_sub(prompt);
        let answer = answers.checked_div(self.answers.into()).unwrap_or_default();
        ReservedTokens { prompt, answer: answer.min(self.answer.tokens()) }
    }
}

/// Tokens to acquire from a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenAmount {
    /// A fixed number of tokens.
    Exactly(u64),
    /// As many as are left, between a minimum and a maximum.
    Between(u64, u64),
    /// As much of an estimated cost as fits.
    Estimated(TokenEstimate),
}

impl TokenAmount {
    /// The call is refused if fewer tokens are left.
    pub(crate) fn least(self) -> u64 {
        match self {
            Self::Exactly(tokens) | Self::Between(tokens, _) => tokens,
            Self::Estimated(estimate) => estimate.least(),
        }
    }

    /// Tokens to acquire when `left` are left.
    pub(crate) fn of(self, left: u64) -> u64 {
        match self {
            Self::Exactly(tokens) => tokens,
            Self::Between(least, most) => most.min(left).max(least),
            Self::Estimated(estimate) => estimate.of(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn cost(prompt: (u32, u32), answers: u32, answer: AnswerCap) -> TokenEstimate {
        let (prompt_estimate, prompt_bound) = prompt;
        TokenEstimate { prompt_estimate, prompt_bound, answers, least_answer: 1, answer }
    }

    #[test]
    fn prompt_bound_is_reserved_if_it_fits() {
        let call = cost((25, 100), 1, AnswerCap::Client(50));
        assert_eq!((call.of(1_000), call.of(150)), (150, 150));
        assert_eq!(call.split(150), ReservedTokens { prompt: 100, answer: 50 });
        assert_eq!(call.of(149), 75, "the estimate and the whole answer");
        assert_eq!(call.of(30), 30, "less than the answer may have");
        assert_eq!(call.split(30), ReservedTokens { prompt: 25, answer: 5 });
        assert_eq!(call.least(), 26);
    }

    #[test]
    fn open_answers_reserve_a_quarter_of_what_is_left() {
        let call = cost((10, 10), 1, AnswerCap::Model(32_768));
        assert_eq!(call.of(u64::MAX), 10 + 32_768);
        assert_eq!(call.of(40_000), 10 + 10_000);
        assert_eq!(call.of(2_000), 10 + 1_024);
        assert_eq!(call.of(500), 500);
    }

    #[test]
    fn each_answer_reserves_its_own_tokens() {
        let call = cost((10, 40), 10, AnswerCap::Client(100));
        assert_eq!(call.of(5_000), 1_040);
        assert_eq!(call.split(300), ReservedTokens { prompt: 10, answer: 29 });
        assert_eq!(cost((10, 40), 128, AnswerCap::Client(1)).least(), 138);
    }

    #[test]
    fn call_without_answers_reserves_its_prompt() {
        let call = cost((10, 40), 0, AnswerCap::Client(0));
        assert_eq!((call.of(1_000), call.of(40), call.of(39), call.least()), (40, 40, 10, 10));
    }

    #[test]
    fn answer_has_at_least_what_its_client_needs() {
        for answer in [AnswerCap::Client(32_000), AnswerCap::Model(32_000)] {
            let call = TokenEstimate { least_answer: 1_025, ..cost((10, 40), 1, answer) };
            assert_eq!(call.least(), 1_035);
            for left in [1_035, 1_064, 1_065, 1_066, 5_000] {
                assert!(call.of(left) <= left, "{left}");
                assert!(call.split(call.of(left)).answer >= 1_025, "{left}");
            }
        }
    }

    proptest! {
        #[test]
        fn reservations_fit_and_splits_add_up(
            estimate in 0_u32..10_000, more in 0_u32..30_000, answers in 0_u32..130,
            cap in 0_u32..200_000, open: bool, left in 0_u64..1_000_000, need in 0_u32..2_000,
        ) {
            let answer = if open { AnswerCap::Model(cap) } else { AnswerCap::Client(cap) };
            let call = cost((estimate, estimate + more), answers, answer);
            let call = TokenEstimate { least_answer: need.min(cap), ..call };
            let reserved = call.of(left);
            prop_assert!(reserved >= u64::from(estimate));
            if call.least() <= left {
                prop_assert!(reserved <= left, "{} of {}", reserved, left);
                let split = call.split(reserved);
                prop_assert!(split.prompt >= u64::from(estimate));
                prop_assert!(split.prompt + split.answer * u64::from(answers) <= reserved);
                prop_assert!(split.answer <= answer.tokens());
            }
        }
    }
}
