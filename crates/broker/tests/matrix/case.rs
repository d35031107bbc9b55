//! One way to ask one API: what its sender needs, and what is told to whom lacks it.

use std::collections::HashMap;

use schloss_policy::{Acl, CLUSTER_NAME, Operation, PatternType, Permission, ResourceType};
use schloss_wire::{Api, Request, StrBytes, Uuid};

type Asks = Box<dyn Fn(&Names) -> Request>;
type Prepares = Box<dyn Fn(&Names) -> Vec<Request>>;

/// A request, everything that its sender needs for it, and what is told.
///
/// Answers are written as [`told`](crate::told::told) writes them: the place of each error code, and the code.
pub(crate) struct Case {
    pub(crate) api: Api,
    pub(crate) what: &'static str,
    pub(crate) version: i16,
    pub(crate) asks: Asks,
    /// All of these together suffice.
    pub(crate) needs: Vec<Need>,
    /// Told without any ACL, and what of it is recorded, if that is not what the first need says.
    pub(crate) nothing: Option<(&'static str, &'static [&'static str])>,
    /// Told with all that is needed, and what of it is on record as denied: what the case does not need.
    pub(crate) allowed: (&'static str, &'static [&'static str]),
    /// Shown with all that is needed, and not before.
    pub(crate) shows: Option<Shown>,
    /// Topics that are there.
    pub(crate) topics: &'static [&'static str],
    /// What is asked for before each step, in the newest version.
    pub(crate) opens: Option<Asks>,
    /// What the super user asks for before.
    pub(crate) prepares: Prepares,
    /// Whether a producer of the transactional id `x` is made before.
    pub(crate) has_producer: bool,
}

/// Something that the sender of a request needs.
pub(crate) struct Need {
    /// As in `write topic t`.
    pub(crate) words: &'static str,
    /// Told without it.
    pub(crate) told: &'static str,
    /// The denials on record then.
    pub(crate) recorded: Vec<&'static str>,
    /// Some of the request is done without it.
    pub(crate) in_part: bool,
    /// Another need implies it: only a DENY takes it away.
    pub(crate) implied: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Shown {
    /// The name of this label.
    Name(&'static str),
    /// The id of this topic.
    Id(&'static str),
    /// This text.
    Text(&'static str),
}

/// What a case calls its things: each has its own.
pub(crate) struct Names {
    pub(crate) number: usize,
    /// The topics there are.
    pub(crate) ids: HashMap<String, Uuid>,
    /// Id and epoch of the producer of `x`.
    pub(crate) producer: (i64, i16),
}

impl Names {
    pub(crate) fn name(&self, label: &str) -> String {
        format!("{label}-{}", self.number)
    }

    pub(crate) fn text(&self, label: &str) -> StrBytes {
        self.name(label).as_str().into()
    }

    pub(crate) fn id(&self, label: &str) -> Uuid {
        self.ids[&self.name(label)]
    }

    /// The one whose ACLs the case is about.
    pub(crate) fn user(&self) -> String {
        self.name("user")
    }

    /// Operation, type and name of a resource, as in `write topic t` and `alter cluster`.
    pub(crate) fn resource(&self, words: &str) -> (Operation, ResourceType, String) {
        let (operation, resource_type) = pair(words);
        let name = match words.split(' ').nth(2) {
            None => CLUSTER_NAME.to_owned(),
            Some("*") => "*".to_owned(),
            Some(label) if resource_type == ResourceType::User => format!("User:{}", self.name(label)),
            Some(label) => self.name(label),
        };
        (operation, resource_type, name)
    }

    pub(crate) fn acl(&self, words: &str, permission: Permission) -> Acl {
        let (operation, resource_type, resource_name) = self.resource(words);
        // No ACL can be for what an operation means nothing on; one for all of them covers that too.
        let operation =
            if resource_type.operations().contains(&operation) { operation } else { Operation::All };
        Acl {
            resource_type,
            pattern_type: PatternType::Literal,
            resource_name,
            principal: format!("User:{}", self.user()),
            host: "*".to_owned(),
            operation,
            permission,
        }
    }
}

/// Operation and type of a resource.
pub(crate) fn pair(words: &str) -> (Operation, ResourceType) {
    let mut words = words.split(' ');
    let mut next = || words.next().expect("an operation and a type");
    (next().parse().unwrap(), next().parse().unwrap())
}

impl Case {
    /// Of the newest version.
    pub(crate) fn new<R: Into<Request>>(
        api: Api,
        what: &'static str,
        asks: impl Fn(&Names) -> R + 'static,
    ) -> Self {
        Self {
            api,
            what,
            version: api.range().max,
            asks: Box::new(move |names| asks(names).into()),
            needs: Vec::new(),
            nothing: None,
            allowed: ("", &[]),
            opens: None,
            shows: None,
            topics: &[],
            prepares: Box::new(|_| Vec::new()),
            has_producer: false,
        }
    }

    pub(crate) fn version(self, version: i16) -> Self {
        Self { version, ..self }
    }

    /// It needs this, and without it this is told.
    pub(crate) fn needs(mut self, words: &'static str, told: &'static str) -> Self {
        self.needs.push(Need { words, told, recorded: vec![words], in_part: false, implied: false });
        self
    }

    /// It needs this, and without it less is shown or done, which is no event.
    pub(crate) fn needs_silently(self, words: &'static str, told: &'static str) -> Self {
        let mut case = self.needs(words, told).in_part();
        case.last().recorded.clear();
        case
    }

    /// The last need: without it this is what is on record, because others were tried.
    pub(crate) fn recorded(mut self, words: &[&'static str]) -> Self {
        self.last().recorded = words.to_vec();
        self
    }

    /// The last need: without it the rest is done.
    pub(crate) fn in_part(mut self) -> Self {
        self.last().in_part = true;
        self
    }

    /// The last need: another one implies it.
    pub(crate) fn implied(mut self) -> Self {
        self.last().implied = true;
        self
    }

    fn last(&mut self) -> &mut Need {
        self.needs.last_mut().expect("a need")
    }

    pub(crate) fn nothing(self, told: &'static str, recorded: &'static [&'static str]) -> Self {
        Self { nothing: Some((told, recorded)), ..self }
    }

    pub(crate) fn allowed(self, told: &'static str) -> Self {
        self.allowed_but(told, &[])
    }

    pub(crate) fn allowed_but(self, told: &'static str, denied: &'static [&'static str]) -> Self {
        Self { allowed: (told, denied), ..self }
    }

    /// Each time, this is asked for before.
    pub(crate) fn opens<R: Into<Request>>(mut self, asks: impl Fn(&Names) -> R + 'static) -> Self {
        self.opens = Some(Box::new(move |names| asks(names).into()));
        self
    }

    pub(crate) fn shows(self, shown: Shown) -> Self {
        Self { shows: Some(shown), ..self }
    }

    pub(crate) fn topics(self, topics: &'static [&'static str]) -> Self {
        Self { topics, ..self }
    }

    pub(crate) fn prepares(self, prepares: impl Fn(&Names) -> Vec<Request> + 'static) -> Self {
        Self { prepares: Box::new(prepares), ..self }
    }

    pub(crate) fn has_producer(self) -> Self {
        Self { has_producer: true, ..self }
    }
}

/// One time that the request is sent.
pub(crate) struct Step {
    pub(crate) what: String,
    pub(crate) acls: Vec<Acl>,
    pub(crate) told: &'static str,
    pub(crate) recorded: Vec<&'static str>,
    /// Whether some of it is done.
    pub(crate) is_done: bool,
    pub(crate) is_allowed: bool,
}

impl Case {
    /// Without ACLs; with all but one; with all and a DENY on top; with all. What changes something comes last.
    pub(crate) fn steps(&self, names: &Names) -> Vec<Step> {
        let allow = |need: &Need| names.acl(need.words, Permission::Allow);
        let all = || self.needs.iter().map(allow);
        let without = |need: &Need, what: &str, acls| Step {
            what: format!("{what} {}", need.words),
            acls,
            told: need.told,
            recorded: need.recorded.clone(),
            is_done: need.in_part,
            is_allowed: false,
        };
        let mut steps = Vec::new();
        if let Some(first) = self.needs.first() {
            let mut step = without(first, "without any ACL, not even", Vec::new());
            if let Some((told, recorded)) = self.nothing {
                step = Step { told, recorded: recorded.to_vec(), is_done: false, ..step };
            }
            steps.push(step);
        }
        for (index, need) in self.needs.iter().enumerate().filter(|(_, need)| !need.implied) {
            if self.needs.len() > 1 {
                let others = all().enumerate().filter(|(other, _)| *other != index).map(|(_, acl)| acl);
                steps.push(without(need, "with all but", others.collect()));
            }
        }
        for need in &self.needs {
            let deny = names.acl(need.words, Permission::Deny);
            steps.push(without(need, "with a DENY on top of", all().chain([deny]).collect()));
        }
        steps.push(Step {
            what: "with all that is needed".to_owned(),
            acls: all().collect(),
            told: self.allowed.0,
            recorded: self.allowed.1.to_vec(),
            is_done: true,
            is_allowed: true,
        });
        steps
    }
}
