//! How many tokens a call reserves: as much as it may cost, of what is left.
//!
//! The prompt is known, but not how an upstream counts it. One token for each byte of its text is
//! more than any tokenizer makes of it, so that is reserved while there is room; otherwise its
//! estimate, or a finer count where there is one. The answer is not known: its cap is reserved, or
//! where there is none what the model may give, but then no more than a quarter of what is left, so
//! that calls in parallel fit.

/// An answer without a cap reserves at least as much, where it is left.
const LEAST_OPEN_ANSWER: u64 = 1_024;

/// What a call may cost, in tokens. Small, as every check carries one along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenEstimate {
    /// What the prompt likely costs.
    pub prompt_estimate: u32,
    /// What the prompt costs at most; no less than the estimate.
    pub prompt_bound: u32,
    /// How many answers are generated; none for what only reads.
    pub answers: u32,
    /// The most tokens of each answer.
    pub answer: AnswerCap,
}

/// The most tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerCap {
    /// The client's own cap.
    Client(u32),
    /// The client names none: what the model may give.
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

/// What was reserved, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedTokens {
    /// Tokens reserved for the prompt.
    pub prompt: u64,
    /// For each of the answers.
    pub answer: u64,
}

impl TokenEstimate {
    /// The same with another estimate of the prompt; no more than its bound.
    #[must_use]
    pub(crate) fn with_estimate(self, tokens: u32) -> Self {
        Self { prompt_estimate: tokens.min(self.prompt_bound), ..self }
    }

    /// What all answers may cost.
    fn wanted(&self) -> u64 {
        self.answer.tokens().saturating_mul(self.answers.into())
    }

    /// What has to be left for the call to be made: the estimate of the prompt, and a token for
    /// each answer.
    pub(crate) fn least(&self) -> u64 {
        u64::from(self.prompt_estimate).saturating_add(self.answers.into())
    }

    /// What is reserved of `left` tokens; no less than [`Self::least`] and else no more than is
    /// left.
    pub(crate) fn of(&self, left: u64) -> u64 {
        let prompt = self.prompt_of(left);
        let rest = left.saturating_sub(prompt).max(self.answers.into());
        prompt.saturating_add(self.open(left).min(rest))
    }

    /// What the answers may reserve where `left` tokens are left, the prompt among them.
    fn open(&self, left: u64) -> u64 {
        match self.answer {
            AnswerCap::Client(_) => self.wanted(),
            AnswerCap::Model(_) => self.wanted().min((left / 4).max(LEAST_OPEN_ANSWER)),
        }
    }

    /// The bound, if it leaves room for an answer; else the estimate.
    fn prompt_of(&self, left: u64) -> u64 {
        let room = self.wanted().min(LEAST_OPEN_ANSWER);
        let bound = u64::from(self.prompt_bound);
        if bound.saturating_add(room) <= left { bound } else { self.prompt_estimate.into() }
    }

    /// What `granted` tokens are for.
    pub fn split(&self, granted: u64) -> ReservedTokens {
        let prompt = self.prompt_of(granted);
        let answers = granted.saturating_sub(prompt);
        let answer = answers.checked_div(self.answers.into()).unwrap_or_default();
        ReservedTokens { prompt, answer: answer.min(self.answer.tokens()) }
    }
}

/// What a call takes of limits on tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenAmount {
    /// A number of tokens that is known beforehand.
    Exactly(u64),
    /// As many as are left, at least so many and at most so many.
    Between(u64, u64),
    /// What fits of what a call may cost.
    CheckRequest(TokenEstimate),
}

impl TokenAmount {
    /// With less left, the call is refused.
    pub(crate) fn least(self) -> u64 {
        match self {
            Self::Exactly(tokens) | Self::Between(tokens, _) => tokens,
            Self::CheckRequest(need) => need.least(),
        }
    }

    /// What it takes of `left` tokens.
    pub(crate) fn of(self, left: u64) -> u64 {
        match self {
            Self::Exactly(tokens) => tokens,
            Self::Between(least, most) => most.min(left).max(least),
            Self::CheckRequest(need) => need.of(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn need(prompt: (u32, u32), answers: u32, answer: AnswerCap) -> TokenEstimate {
        let (prompt_estimate, prompt_bound) = prompt;
        TokenEstimate { prompt_estimate, prompt_bound, answers, answer }
    }

    #[test]
    fn the_bound_is_reserved_while_it_fits() {
        let call = need((25, 100), 1, AnswerCap::Client(50));
        assert_eq!((call.of(1_000), call.of(150)), (150, 150));
        assert_eq!(call.split(150), ReservedTokens { prompt: 100, answer: 50 });
        assert_eq!(call.of(149), 75, "the estimate and the whole answer");
        assert_eq!(call.of(30), 30, "less than the answer may have");
        assert_eq!(call.split(30), ReservedTokens { prompt: 25, answer: 5 });
        assert_eq!(call.least(), 26);
    }

    #[test]
    fn open_answers_reserve_a_quarter_of_what_is_left() {
        let call = need((10, 10), 1, AnswerCap::Model(32_768));
        assert_eq!(call.of(u64::MAX), 10 + 32_768);
        assert_eq!(call.of(40_000), 10 + 10_000);
        assert_eq!(call.of(2_000), 10 + 1_024);
        assert_eq!(call.of(500), 500);
    }

    #[test]
    fn every_answer_reserves_its_own() {
        let call = need((10, 40), 10, AnswerCap::Client(100));
        assert_eq!(call.of(5_000), 1_040);
        assert_eq!(call.split(300), ReservedTokens { prompt: 10, answer: 29 });
        assert_eq!(need((10, 40), 128, AnswerCap::Client(1)).least(), 138);
    }

    #[test]
    fn what_only_reads_reserves_its_prompt() {
        let call = need((10, 40), 0, AnswerCap::Client(0));
        assert_eq!((call.of(1_000), call.of(40), call.of(39), call.least()), (40, 40, 10, 10));
    }

    proptest! {
        #[test]
        fn reservations_fit_and_splits_add_up(
            estimate in 0_u32..10_000, more in 0_u32..30_000, answers in 0_u32..130,
            cap in 0_u32..200_000, open: bool, left in 0_u64..1_000_000,
        ) {
            let answer = if open { AnswerCap::Model(cap) } else { AnswerCap::Client(cap) };
            let cap = need((estimate, estimate + more), answers, answer);
            let taken = cap.of(left);
            prop_assert!(taken >= u64::from(estimate));
            if cap.least() <= left {
                prop_assert!(taken <= left, "{} of {}", taken, left);
                let split = cap.split(taken);
                prop_assert!(split.prompt >= u64::from(estimate));
                prop_assert!(split.prompt + split.answer * u64::from(answers) <= taken);
                prop_assert!(split.answer <= answer.tokens());
            }
        }
    }
}
