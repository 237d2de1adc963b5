//! What the device is like just now, as far as somebody says, and what each kind of work asks of it.

use serde::{Deserialize, Serialize};

/// The network, as the operating system describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nobody said: nothing is held back for it.
    #[default]
    Unknown,
    /// None.
    Offline,
    /// One that costs nothing.
    Unmetered,
    /// One that somebody pays for, or that the person wants spared (Low Data Mode, Data Saver).
    Metered,
    /// A foreign one.
    Roaming,
}

/// What the device is like. A hint: it can put work off, never stop it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// The network.
    pub network: Network,
    /// Whether the network was seen to reach the internet; a captive portal does not.
    pub validated: bool,
    /// Whether a person looks at the app.
    pub foreground: bool,
    /// Whether the device saves power.
    pub low_power: bool,
    /// Whether it is being charged; then it need not.
    pub charging: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { network: Network::Unknown, validated: true, foreground: true, low_power: false, charging: false }
    }
}

impl Conditions {
    /// Whether no server can be reached, so they say.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        matches!(self.network, Network::Offline) || !self.validated
    }
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a person wrote, in small batches.
    SmallPush,
    /// What others wrote since.
    Pull,
    /// Everything there is, once.
    Bootstrap,
}

/// What the network must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkNeed {
    /// There must be one.
    Connected,
    /// One at home.
    NotRoaming,
    /// One that costs nothing.
    Unmetered,
}

/// What work in the background asks of the device. A person who looks on asks for nothing: then everything may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    /// What the network must be like.
    pub network: NetworkNeed,
    /// Whether the device must not be saving power, unless it is charged.
    pub battery_not_low: bool,
}

impl Kind {
    /// What this kind of work asks of the device in the background.
    #[must_use]
    pub const fn constraints(self) -> Constraints {
        match self {
            // A few bytes that somebody waits for elsewhere: whatever the network costs.
            Self::SmallPush => Constraints { network: NetworkNeed::Connected, battery_not_low: false },
            Self::Pull => Constraints { network: NetworkNeed::NotRoaming, battery_not_low: true },
            Self::Bootstrap => Constraints { network: NetworkNeed::Unmetered, battery_not_low: true },
        }
    }
}

impl Constraints {
    /// Whether the device is like that, as far as is known. Whether there is a network at all is decided elsewhere:
    /// "offline" is believed only for a while.
    #[must_use]
    pub const fn met_by(&self, conditions: &Conditions) -> bool {
        let is_too_dear = matches!(
            (self.network, conditions.network),
            (NetworkNeed::NotRoaming, Network::Roaming) | (NetworkNeed::Unmetered, Network::Roaming | Network::Metered)
        );
        let is_too_weak = self.battery_not_low && conditions.low_power && !conditions.charging;
        !is_too_dear && !is_too_weak
    }
}
