//! The rules in force, with every version they ever had and who made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::Rule;
use crate::desk::refusal::Refusal;
use crate::time::Timestamp;

/// Rules at most; each has a condition, and each condition costs on every subject.
pub const RULES_MAX: usize = 1_000;

/// The name under which the product itself puts rules.
pub const SHIPPED_BY: &str = "shipped";

/// A rule with the text it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourcedRule {
    pub rule: Rule,
    pub source: String,
}

/// One version of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// 1 for the first.
    pub number: u32,
    pub rule: Rule,
    pub source: String,
    pub by: String,
    pub at: Timestamp,
}

/// A rule with its versions, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub versions: Vec<Version>,
    pub enabled: bool,
}

impl Entry {
    pub fn current(&self) -> Option<&Version> {
        self.versions.last()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum RuleCommand {
    /// A new rule, or a new version of a known one; in force at once.
    Put(Box<SourcedRule>),
    /// The rules that come with the product: new ones are put, and those that nobody has changed
    /// are brought up to date.
    Install(Vec<SourcedRule>),
    Enable(String),
    Disable(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleEvent {
    RulePut {
        version: u32,
        rule: Box<SourcedRule>,
        /// Comes with the product.
        #[serde(default)]
        shipped: bool,
    },
    RuleEnabled {
        rule: String,
    },
    RuleDisabled {
        rule: String,
    },
}

impl RuleEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RulePut { .. } => "rule_put",
            Self::RuleEnabled { .. } => "rule_enabled",
            Self::RuleDisabled { .. } => "rule_disabled",
        }
    }
}

/// All rules.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rulebook {
    entries: BTreeMap<Arc<str>, Entry>,
    /// Rises with every change, so that whoever compiles the rules sees that there is news.
    revision: u64,
}

impl Rulebook {
    pub fn get(&self, rule: &str) -> Option<&Entry> {
        self.entries.get(rule)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    /// The rules in force: enabled, each in its newest version.
    pub fn in_force(&self) -> impl Iterator<Item = &Version> {
        let enabled = self.entries.values().filter(|entry| entry.enabled);
        enabled.filter_map(Entry::current)
    }

    /// A rule that is in force.
    pub fn current(&self, rule: &str) -> Option<&Version> {
        let entry = self.entries.get(rule).filter(|entry| entry.enabled)?;
        entry.current()
    }

    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// # Errors
    /// An unknown rule, one that is so already, or too many.
    pub fn decide(&self, command: &RuleCommand) -> Result<Vec<RuleEvent>, Refusal> {
        match command {
            RuleCommand::Put(rule) => {
                if let Some(version) = self.get(&rule.rule.id).and_then(Entry::current)
                    && version.source == rule.source
                {
                    return Err(Refusal::RuleUnchanged {
                        rule: rule.rule.id.clone(),
                        version: version.number,
                    });
                }
                self.put(rule, false).map(|event| vec![event])
            }
            RuleCommand::Install(rules) => rules
                .iter()
                .filter(|rule| self.wants(rule))
                .map(|rule| self.put(rule, true))
                .collect(),
            RuleCommand::Enable(id) => {
                let rule = id.clone();
                match self.known(id)?.enabled {
                    true => Err(Refusal::RuleEnabled { rule }),
                    false => Ok(vec![RuleEvent::RuleEnabled { rule }]),
                }
            }
            RuleCommand::Disable(id) => {
                let rule = id.clone();
                match self.known(id)?.enabled {
                    true => Ok(vec![RuleEvent::RuleDisabled { rule }]),
                    false => Err(Refusal::RuleDisabled { rule }),
                }
            }
        }
    }

    fn known(&self, rule: &str) -> Result<&Entry, Refusal> {
        self.get(rule).ok_or_else(|| Refusal::UnknownRule {
            rule: rule.to_owned(),
        })
    }

    /// Whether a shipped rule is new, or newer than the shipped one in force.
    fn wants(&self, rule: &SourcedRule) -> bool {
        let current = self.get(&rule.rule.id).and_then(Entry::current);
        current.is_none_or(|current| current.by == SHIPPED_BY && current.source != rule.source)
    }

    fn put(&self, rule: &SourcedRule, shipped: bool) -> Result<RuleEvent, Refusal> {
        let known = self.get(&rule.rule.id);
        if known.is_none() && self.entries.len() >= RULES_MAX {
            return Err(Refusal::TooManyRules { max: RULES_MAX });
        }
        let last = known.and_then(Entry::current);
        Ok(RuleEvent::RulePut {
            version: last.map_or(1, |version| version.number + 1),
            rule: Box::new(rule.clone()),
            shipped,
        })
    }

    pub fn apply(&mut self, at: Timestamp, by: &str, event: &RuleEvent) {
        self.revision += 1;
        match event {
            RuleEvent::RulePut {
                version,
                rule,
                shipped,
            } => {
                let id: Arc<str> = rule.rule.id.as_str().into();
                let entry = self.entries.entry(id).or_insert_with(|| Entry {
                    versions: Vec::new(),
                    enabled: true,
                });
                entry.versions.push(Version {
                    number: *version,
                    rule: rule.rule.clone(),
                    source: rule.source.clone(),
                    by: [by, SHIPPED_BY][usize::from(*shipped)].to_owned(),
                    at,
                });
            }
            RuleEvent::RuleEnabled { rule } => self.set_enabled(rule, true),
            RuleEvent::RuleDisabled { rule } => self.set_enabled(rule, false),
        }
    }

    fn set_enabled(&mut self, rule: &str, enabled: bool) {
        if let Some(entry) = self.entries.get_mut(rule) {
            entry.enabled = enabled;
        }
    }
}
