//! Who should have which task (Kafka's `sticky`): tasks stay where their state is, loads differ by one at
//! most, and no process has a task twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::configure::Shape;
use super::task::{Role, Task, TaskId};

/// A member, as the assignor sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    /// Members of one process share its disk.
    pub(super) process: Arc<str>,
    /// What it should have had until now.
    pub(super) before: BTreeSet<Task>,
}

/// What each member should have.
pub(super) type Target = BTreeMap<Arc<str>, BTreeSet<Task>>;

/// Shares out the tasks of these subtopologies, and `standbys` copies of those that have state, as far as
/// there are processes for them.
pub(super) fn assign(
    subtopologies: &BTreeMap<Arc<str>, Shape>,
    candidates: &BTreeMap<Arc<str>, Candidate>,
    standbys: usize,
) -> Target {
    if candidates.is_empty() {
        return Target::new();
    }
    let mut shares = Shares::new(candidates);
    shares.give_active(active_tasks(subtopologies));
    let stateful: Vec<_> = active_tasks(subtopologies)
        .into_iter()
        .filter(|task| subtopologies.get(&task.subtopology).is_some_and(|shape| shape.is_stateful))
        .collect();
    for _ in 0..standbys {
        shares.give_standbys(&stateful);
    }
    shares.into_target()
}

/// By partition first, so that the tasks of one partition are spread.
fn active_tasks(subtopologies: &BTreeMap<Arc<str>, Shape>) -> Vec<TaskId> {
    let of = |(id, shape): (&Arc<str>, &Shape)| {
        let id = Arc::clone(id);
        (0..shape.tasks).map(move |partition| TaskId { subtopology: Arc::clone(&id), partition })
    };
    let mut tasks: Vec<_> = subtopologies.iter().flat_map(of).collect();
    tasks.sort_by(|one, other| (one.partition, &one.subtopology).cmp(&(other.partition, &other.subtopology)));
    tasks
}

/// A member on its way to a share.
struct Share<'a> {
    id: &'a Arc<str>,
    process: usize,
    tasks: BTreeSet<Task>,
}

/// A process: its members, least loaded first, and what is on its disk.
#[derive(Default)]
struct Process {
    members: BTreeSet<(usize, usize)>,
    tasks: usize,
    on_disk: HashSet<TaskId>,
}

impl Process {
    /// Tasks for each member. Fractions count, and an equal load is an equal number.
    fn load(&self) -> usize {
        const PRECISION: usize = 1 << 20;
        self.tasks * PRECISION / self.members.len().max(1)
    }
}

/// Who has how much; members and processes by number.
struct Shares<'a> {
    members: Vec<Share<'a>>,
    processes: Vec<Process>,
    /// Least loaded first.
    by_load: BTreeSet<(usize, usize)>,
    had_active: HashMap<&'a TaskId, usize>,
    had_standby: HashMap<&'a TaskId, Vec<usize>>,
}

impl<'a> Shares<'a> {
    fn new(candidates: &'a BTreeMap<Arc<str>, Candidate>) -> Self {
        let mut numbers: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        let mut shares = Self {
            members: Vec::with_capacity(candidates.len()),
            processes: Vec::new(),
            by_load: BTreeSet::new(),
            had_active: HashMap::new(),
            had_standby: HashMap::new(),
        };
        for (number, (id, candidate)) in candidates.iter().enumerate() {
            let process = *numbers.entry(&candidate.process).or_insert_with(|| {
                shares.processes.push(Process::default());
                shares.processes.len() - 1
            });
            shares.processes[process].members.insert((0, number));
            shares.members.push(Share { id, process, tasks: BTreeSet::new() });
            for task in &candidate.before {
                match task.role {
                    Role::Active => _ = shares.had_active.insert(&task.id, number),
                    Role::Standby => shares.had_standby.entry(&task.id).or_default().push(number),
                }
            }
        }
        shares.by_load = (0..shares.processes.len()).map(|process| (0, process)).collect();
        shares
    }

    fn give(&mut self, role: Role, id: TaskId, member: usize) {
        let share = &mut self.members[member];
        let process = &mut self.processes[share.process];
        self.by_load.remove(&(process.load(), share.process));
        process.members.remove(&(share.tasks.len(), member));
        process.on_disk.insert(id.clone());
        share.tasks.insert(Task { role, id });
        process.members.insert((share.tasks.len(), member));
        process.tasks += 1;
        self.by_load.insert((process.load(), share.process));
    }

    fn is_on_disk(&self, member: usize, task: &TaskId) -> bool {
        self.processes[self.members[member].process].on_disk.contains(task)
    }

    /// A task stays with the member that has it, or goes to one that has a copy of its state, as long as that
    /// has no more than its share; others go where there is least to do.
    fn give_active(&mut self, tasks: Vec<TaskId>) {
        let mut quota = Quota::new(tasks.len(), self.members.len());
        let tasks = self.keep(tasks, &mut quota, |shares, task| shares.had_active.get(task).copied());
        let tasks = self.keep(tasks, &mut quota, |shares, task| {
            let had = shares.had_standby.get(task)?.iter().copied();
            had.min_by_key(|member| shares.members[*member].tasks.len())
        });
        for task in tasks {
            if let Some(member) = self.least_loaded(|_| true) {
                self.give(Role::Active, task, member);
            }
        }
    }

    /// Gives tasks to those who have something of them, and returns the others.
    fn keep(
        &mut self,
        tasks: Vec<TaskId>,
        quota: &mut Quota,
        who: impl Fn(&Self, &TaskId) -> Option<usize>,
    ) -> Vec<TaskId> {
        let mut left = Vec::new();
        for task in tasks {
            match who(self, &task) {
                Some(member) if quota.admits(self.members[member].tasks.len()) => {
                    self.give(Role::Active, task, member);
                }
                _ => left.push(task),
            }
        }
        left
    }

    /// One more copy of each task, on a process that has none: where one is already, or where the task was
    /// active, as long as that has no more than its share.
    fn give_standbys(&mut self, tasks: &[TaskId]) {
        let given = self.members.iter().map(|share| share.tasks.len()).sum::<usize>();
        let mut quota = Quota::new(given + tasks.len(), self.members.len());
        for task in tasks {
            let had =
                self.had_active.get(task).into_iter().chain(self.had_standby.get(task).into_iter().flatten());
            let mut had: Vec<_> = had.copied().filter(|member| !self.is_on_disk(*member, task)).collect();
            had.sort_by_key(|member| self.members[*member].tasks.len());
            let keeps = had.first().copied().filter(|member| quota.admits(self.members[*member].tasks.len()));
            let member = keeps.or_else(|| self.least_loaded(|process| !process.on_disk.contains(task)));
            if let Some(member) = member {
                self.give(Role::Standby, task.clone(), member);
            }
        }
    }

    /// The member with least to do of the process with least to do that can take it.
    fn least_loaded(&self, can_take: impl Fn(&Process) -> bool) -> Option<usize> {
        let mut processes = self.by_load.iter().map(|(_, process)| &self.processes[*process]);
        let process = processes.find(|process| can_take(process))?;
        process.members.first().map(|(_, member)| *member)
    }

    fn into_target(self) -> Target {
        self.members.into_iter().map(|share| (Arc::clone(share.id), share.tasks)).collect()
    }
}

/// How much a member may keep: as much as the others, and one more for as many as there is a rest for.
struct Quota {
    least: usize,
    rest: usize,
}

impl Quota {
    fn new(tasks: usize, members: usize) -> Self {
        Self { least: tasks / members.max(1), rest: tasks % members.max(1) }
    }

    /// Whether one that has so many may have one more.
    fn admits(&mut self, has: usize) -> bool {
        if has == self.least && self.rest > 0 {
            self.rest -= 1;
            return true;
        }
        has < self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtopologies(shapes: &[(&str, i32, bool)]) -> BTreeMap<Arc<str>, Shape> {
        let shape = |(id, tasks, is_stateful): &(&str, i32, bool)| {
            (Arc::from(*id), Shape { tasks: *tasks, is_stateful: *is_stateful })
        };
        shapes.iter().map(shape).collect()
    }

    /// Members with their processes.
    fn members(names: &[(&str, &str)]) -> BTreeMap<Arc<str>, Candidate> {
        let candidate = |(id, process): &(&str, &str)| {
            (Arc::from(*id), Candidate { process: (*process).into(), before: BTreeSet::new() })
        };
        names.iter().map(candidate).collect()
    }

    fn settle(candidates: &mut BTreeMap<Arc<str>, Candidate>, target: &Target) {
        for (id, candidate) in candidates {
            candidate.before = target.get(id).cloned().unwrap_or_default();
        }
    }

    fn sizes(target: &Target, role: Role) -> Vec<usize> {
        target.values().map(|tasks| tasks.iter().filter(|task| task.role == role).count()).collect()
    }

    /// Each task is active once, has as many copies as there can be, and no process has it twice.
    fn check(
        subtopologies: &BTreeMap<Arc<str>, Shape>,
        candidates: &BTreeMap<Arc<str>, Candidate>,
        standbys: usize,
        target: &Target,
    ) {
        let processes: BTreeSet<_> = candidates.values().map(|one| &one.process).collect();
        for task in active_tasks(subtopologies) {
            let with = |role: Role| {
                let task = Task { role, id: task.clone() };
                let has = target.iter().filter(move |(_, tasks)| tasks.contains(&task));
                has.map(|(id, _)| &candidates[id].process).collect::<Vec<_>>()
            };
            let copies = match subtopologies[&task.subtopology].is_stateful {
                true => standbys.min(processes.len() - 1),
                false => 0,
            };
            let (active, standby) = (with(Role::Active), with(Role::Standby));
            assert_eq!((active.len(), standby.len()), (1, copies), "{task:?}");
            let distinct: BTreeSet<_> = active.into_iter().chain(standby).collect();
            assert_eq!(distinct.len(), 1 + copies, "{task:?} is twice on one disk");
        }
    }

    #[test]
    fn nobody_and_nothing_are_no_trouble() {
        assert!(assign(&subtopologies(&[("0", 3, true)]), &BTreeMap::new(), 1).is_empty());
        let idle = assign(&BTreeMap::new(), &members(&[("a", "p")]), 1);
        assert_eq!(idle.values().map(BTreeSet::len).sum::<usize>(), 0);
    }

    #[test]
    fn tasks_are_even_and_stay() {
        let topology = subtopologies(&[("0", 4, false), ("1", 3, true)]);
        let mut group = members(&[("a", "p"), ("b", "q")]);
        let first = assign(&topology, &group, 0);
        check(&topology, &group, 0, &first);
        assert_eq!(sizes(&first, Role::Active), [4, 3]);
        settle(&mut group, &first);
        assert_eq!(assign(&topology, &group, 0), first, "nothing changed");

        group.extend(members(&[("c", "r")]));
        let second = assign(&topology, &group, 0);
        check(&topology, &group, 0, &second);
        assert_eq!(sizes(&second, Role::Active), [3, 2, 2]);
        for id in ["a", "b"] {
            assert!(second[id].is_subset(&first[id]), "{id} got something new");
        }
    }

    #[test]
    fn who_has_a_copy_takes_over() {
        let topology = subtopologies(&[("0", 6, true)]);
        let mut group = members(&[("a", "p"), ("b", "q"), ("c", "r")]);
        let first = assign(&topology, &group, 1);
        check(&topology, &group, 1, &first);
        assert_eq!((sizes(&first, Role::Active), sizes(&first, Role::Standby)), (vec![2; 3], vec![2; 3]));
        settle(&mut group, &first);
        assert_eq!(assign(&topology, &group, 1), first, "nothing changed");

        let gone = group.remove("c").unwrap().before;
        let second = assign(&topology, &group, 1);
        check(&topology, &group, 1, &second);
        for task in gone.into_iter().filter(|task| task.role == Role::Active) {
            let copy = Task { role: Role::Standby, id: task.id.clone() };
            let heir = first.iter().find(|(_, tasks)| tasks.contains(&copy)).unwrap().0;
            assert!(second[heir].contains(&task), "{task:?} went to one without its state");
        }
    }

    #[test]
    fn threads_of_one_process_share_its_disk() {
        let topology = subtopologies(&[("0", 4, true)]);
        let group = members(&[("a", "p"), ("b", "p")]);
        let alone = assign(&topology, &group, 2);
        check(&topology, &group, 2, &alone);
        assert_eq!(sizes(&alone, Role::Active), [2, 2]);

        let group = members(&[("a", "p"), ("b", "p"), ("c", "q")]);
        let shared = assign(&topology, &group, 2);
        check(&topology, &group, 2, &shared);
        let loads: Vec<_> = sizes(&shared, Role::Active);
        assert_eq!(loads.iter().sum::<usize>(), 4);
        assert!(loads.iter().all(|load| (1..=2).contains(load)), "{loads:?}");
    }

    #[test]
    fn a_process_with_more_threads_takes_more() {
        let topology = subtopologies(&[("0", 9, false)]);
        let group = members(&[("a", "p"), ("b", "p"), ("c", "q")]);
        assert_eq!(sizes(&assign(&topology, &group, 0), Role::Active), [3, 3, 3]);
    }
}
