//! What comes before both lanes: a token, and one `hello`.

use super::UPGRADE_RECHECK_MS;
use super::classify::{self, Meaning};
use super::command::{Command, TokenReason, Trouble};
use super::event::{Failure, Flight, Greeting, Now, ResetCause, TokenResult};
use super::machine::Sync;
use crate::scheduler::{Part, Why};
use turnstone_protocol::{Class, Code};

/// Whether there is a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// No; and why one is needed.
    None(TokenReason),
    /// Asked for.
    Asked(TokenReason),
    /// Yes.
    Have,
}

/// Whether the server said what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    Needed,
    Asked(Flight, u32),
    Done,
}

/// The gate before both lanes.
#[derive(Debug)]
pub(super) struct Gate {
    token: Token,
    /// Rises with every token, so that an answer to a request with an older one is not held against the new one.
    pub(super) generation: u32,
    /// There is another token since one was asked for.
    changed: bool,
    /// The token was renewed after a 401 and nothing worked since.
    renewed: bool,
    hello: Hello,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            token: Token::None(TokenReason::First),
            generation: 0,
            changed: false,
            renewed: false,
            hello: Hello::Needed,
        }
    }

    /// Whether the lanes may talk to the server, as far as the gate goes.
    pub(super) fn is_open(&self) -> bool {
        self.token == Token::Have && self.hello == Hello::Done
    }

    /// Whether an answer is outstanding.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.token, Token::Asked(_)) || matches!(self.hello, Hello::Asked(..))
    }

    /// A request was answered as it should be.
    pub(super) const fn worked(&mut self) {
        self.renewed = false;
    }

    /// The server must say again what it is.
    pub(super) const fn hello_again(&mut self) {
        self.hello = Hello::Needed;
    }

    /// Gives up the hello under way.
    pub(super) fn drop_hello(&mut self, out: &mut Vec<Command>) {
        if let Hello::Asked(flight, _) = self.hello {
            self.hello = Hello::Needed;
            out.push(Command::Discard { flight });
        }
    }
}

impl Sync {
    /// Moves the gate on. Returns whether it is open.
    pub(super) fn advance_gate(&mut self, out: &mut Vec<Command>) -> bool {
        if self.scheduler.waits(Part::Gate).is_some() {
            return false;
        }
        match (self.gate.token, self.gate.hello) {
            (Token::None(reason), _) => {
                self.gate.token = Token::Asked(reason);
                out.push(Command::Token { reason });
                false
            }
            (Token::Have, Hello::Needed) => {
                let flight = self.next_flight();
                self.gate.hello = Hello::Asked(flight, self.gate.generation);
                out.push(Command::Hello { flight });
                false
            }
            (Token::Have, Hello::Done) => true,
            (Token::Asked(_), _) | (Token::Have, Hello::Asked(..)) => false,
        }
    }

    pub(super) fn on_token(&mut self, result: TokenResult, now: Now, out: &mut Vec<Command>) {
        let Token::Asked(reason) = self.gate.token else { return };
        let has_changed = std::mem::take(&mut self.gate.changed);
        match result {
            TokenResult::Ready => {
                self.gate.token = Token::Have;
                self.gate.generation = self.gate.generation.wrapping_add(1);
            }
            TokenResult::SignIn if has_changed => self.gate.token = Token::None(TokenReason::First),
            TokenResult::SignIn => self.needs_auth("sign_in", now, out),
            TokenResult::Later => {
                self.gate.token = Token::None(reason);
                self.scheduler.fail(Part::Gate, Why::Backoff, now.mono_ms);
                self.note(Trouble { code: "token_unavailable".to_owned(), class: Class::Retry }, out);
                self.run_failed();
            }
        }
    }

    /// The server does not accept a token: renew it once, then somebody must sign in. No attempt is burnt (H13).
    pub(super) fn on_unauthorized(&mut self, generation: u32, expired: bool, now: Now, out: &mut Vec<Command>) {
        if self.gate.token != Token::Have || generation != self.gate.generation {
            return;
        }
        if self.gate.renewed {
            return self.needs_auth("token_rejected", now, out);
        }
        self.gate.renewed = true;
        self.gate.token = Token::None(if expired { TokenReason::Expired } else { TokenReason::Rejected });
    }

    /// The token is somebody else's: nothing goes out until there is one of the person whose database this is (I-48).
    pub(super) fn on_other_account(&mut self, generation: u32, now: Now, out: &mut Vec<Command>) {
        if self.gate.token == Token::Have && generation == self.gate.generation {
            self.gate.hello = Hello::Needed;
            self.needs_auth(Code::OtherAccount.as_str(), now, out);
        }
    }

    fn needs_auth(&mut self, code: &str, now: Now, out: &mut Vec<Command>) {
        self.gate.token = Token::None(TokenReason::Rejected);
        self.scheduler.fail(Part::Gate, Why::SignIn, now.mono_ms);
        self.note(Trouble { code: code.to_owned(), class: Class::Auth }, out);
    }

    pub(super) fn on_token_changed(&mut self) {
        self.scheduler.token_changed();
        self.gate.renewed = false;
        // Also after a refusal: what was refused is not what there is now.
        match self.gate.token {
            Token::Asked(_) => self.gate.changed = true,
            Token::None(_) | Token::Have => self.gate.token = Token::None(TokenReason::First),
        }
        self.push.look = true;
        self.pull.want();
    }

    pub(super) fn on_hello(
        &mut self,
        flight: Flight,
        result: Result<Greeting, Failure>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        let Hello::Asked(asked, generation) = self.gate.hello else { return };
        if asked != flight {
            return;
        }
        self.gate.hello = Hello::Needed;
        match result {
            Ok(greeting) => {
                if greeting != Greeting::OtherAccount {
                    self.answered(Part::Gate);
                }
                match greeting {
                    Greeting::Fine => self.gate.hello = Hello::Done,
                    Greeting::OtherAccount => self.on_other_account(generation, now, out),
                    Greeting::EpochChanged => self.reset(ResetCause::EpochChanged, now, out),
                    Greeting::EpochSuspect => self.reset(ResetCause::EpochSuspect, now, out),
                    Greeting::Forked => self.renew(now, out),
                    Greeting::UpgradeRequired => self.stop_for_upgrade(now, out),
                }
            }
            Err(failure) => self.hello_failed(&failure, generation, now, out),
        }
    }

    fn hello_failed(&mut self, failure: &Failure, generation: u32, now: Now, out: &mut Vec<Command>) {
        match classify::meaning(failure) {
            Meaning::Unauthorized { expired } => self.on_unauthorized(generation, expired, now, out),
            Meaning::OtherAccount => self.on_other_account(generation, now, out),
            Meaning::Upgrade => self.stop_for_upgrade(now, out),
            // Tier 0: a server without hello. Epoch and clock come with its other answers.
            Meaning::NotServed | Meaning::Refused(_) | Meaning::Forbidden | Meaning::TooLarge => {
                self.answered(Part::Gate);
                self.gate.hello = Hello::Done;
            }
            Meaning::Later { retry_after_ms: Some(ms) } => {
                self.note(classify::trouble(failure), out);
                self.hold_push(ms, now, out);
                self.hold_pull(ms, now, out);
            }
            meaning => {
                self.note(classify::trouble(failure), out);
                self.blame(None, failure, now);
                self.scheduler.fail(Part::Gate, Why::Backoff, now.mono_ms);
                self.run_failed_by(&meaning);
            }
        }
    }

    pub(super) fn stop_for_upgrade(&mut self, now: Now, out: &mut Vec<Command>) {
        self.gate.hello = Hello::Needed;
        self.scheduler.wait(Part::Gate, UPGRADE_RECHECK_MS, Why::Upgrade, now.mono_ms);
        self.note(Trouble { code: "upgrade_required".to_owned(), class: Class::Upgrade }, out);
    }
}
